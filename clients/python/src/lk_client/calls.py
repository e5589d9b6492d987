"""What is asked of LK, as values: nothing here sends anything. `exchange` says how, the two clients do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from lk_client.errors import UnexpectedAnswer

T = TypeVar("T")
Query = tuple[tuple[str, str], ...]


class Unset:
    """Says that an argument was not given: `None` empties a field, and this leaves it as it is."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = Unset()


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers in lower case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the document. Raises UnexpectedAnswer where there is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise UnexpectedAnswer(f"The answer {self.status} is not JSON.") from None

    def version(self) -> int | None:
        """Return the version that the ETag names."""
        number = self.headers.get("etag", "").removeprefix("W/").strip('"').partition(".")[0]
        return int(number) if number.isdecimal() else None


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how its answer is read.

    `version` becomes `If-Match`. `takes_key` says that the operation knows `Idempotency-Key`, which the exchange then
    makes where none is given.
    """

    method: str
    path: str
    read: Callable[[Answer], T] = field(repr=False)
    query: Query = field(default=(), repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    version: int | None = None
    takes_key: bool = False
    idempotency_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method in ("GET", "DELETE") or self.idempotency_key is not None

    def content(self) -> bytes | None:
        """Return the body as JSON."""
        return None if self.body is None else json.dumps(self.body, ensure_ascii=False, default=plain).encode()


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list that comes in pages: the call of the first, from which those of the others follow."""

    first: Call[Page[T]]

    def after(self, page: Page[T]) -> Call[Page[T]] | None:
        """Return the call of the next page, None after the last."""
        if page.next_cursor is None:
            return None
        return replace(self.first, query=with_cursor(self.first.query, page.next_cursor))


def with_cursor(query: Query, cursor: str) -> Query:
    return (*(pair for pair in query if pair[0] != "cursor"), ("cursor", cursor))


def path(*parts: str) -> str:
    """Return a path below the API's root; parts are escaped, so an id can be any text."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def query(**parameters: Any) -> Query:
    """Return the parameters that were given; lists repeat."""
    return tuple(
        (name, as_text(value))
        for name, given in parameters.items()
        if given is not None
        for value in (given if isinstance(given, (list, tuple, set, frozenset)) else [given])
    )


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else plain(value)


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that were given: `None` among them, `UNSET` not."""
    return {name: value for name, value in fields.items() if not isinstance(value, Unset)}


def plain(value: Any) -> str:
    """Return the text of a value that JSON has no word for. Raises TypeError for others, and times without a zone."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be sent")


def utc_text(value: datetime) -> str:
    """Return RFC 3339 in UTC. Raises TypeError for a time without a zone: nobody knows which moment it is."""
    if value.tzinfo is None:
        raise TypeError("A time needs its zone: datetime(…, tzinfo=…)")
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def money(value: Decimal | int | str | Unset | None) -> str | Unset | None:
    """Return roubles as the API takes them. Raises TypeError for a float, which is not the number you wrote."""
    if value is None or isinstance(value, (str, Unset)):
        return value
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    raise TypeError(f"Give money as Decimal, int or str, not {type(value).__name__}")
