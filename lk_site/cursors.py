"""Pages by key, never by offset: page 5,000 costs what page 1 does, and rows written meanwhile hide or repeat no other.

A cursor is `base64url(digest of the query ‖ signature ‖ sort key of the last row read)`: no filter value stands in it.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from lk_site.answers import json_answer
from lk_site.errors import DomainError, FieldError

DIGEST, SIGNATURE = 8, 16  # bytes; the digest only tells queries apart, the signature keeps forgers out
LONGEST = 500  # characters
CANDIDATES = 500  # rows read for one page where rows are filtered after decryption (api.md)
NOT_OF_THE_QUERY = frozenset({"cursor", "limit", "fields", "expand"})  # how much is shown, not of what

Position = tuple[Any, ...]
M = TypeVar("M", bound=Model)
Row = TypeVar("Row")


class CursorInvalid(DomainError):
    """The cursor was altered, or belongs to another query."""

    code = "cursor_invalid"
    sentence = _("This cursor belongs to another query or was changed. Start again from the first page.")
    facts = {"errors": [{"pointer": "?cursor", "code": code, "message": "This cursor belongs to another query."}]}

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("?cursor", self.code, self.sentence)])


class Keyset:
    """An order of rows that is total, one way and without nulls.

    `Keyset(("-created_at", datetime.fromisoformat), ("-id", UUID))`: each name as `order_by` takes it, and the function
    that makes its value again from the text in a cursor. The last name must be unique.
    """

    def __init__(self, *keys: tuple[str, Callable[[Any], Any]]) -> None:
        self.order = tuple(name for name, _ in keys)
        self.names = tuple(name.removeprefix("-") for name in self.order)
        self.parsers = tuple(parse for _, parse in keys)
        self.comparison = "lt" if self.order[0].startswith("-") else "gt"
        if len({name.startswith("-") for name in self.order}) != 1:
            raise ValueError("a keyset goes one way")

    def position(
        self, request: HttpRequest, cursor: str | None, filters: Iterable[str] | None = None
    ) -> Position | None:
        """Return the sort key that the page starts after, None for the first page.

        `filters` names the parameters that make the query, by default all that narrow it. Raises
        CursorInvalid.
        """
        if cursor is None:
            return None
        values = opened(cursor, query_digest(request, filters))
        if len(values) != len(self.parsers):
            raise CursorInvalid
        return tuple(parse(value) for parse, value in zip(self.parsers, values, strict=True))

    def position_of_page(self, request: HttpRequest, filters: Iterable[str] = ()) -> Position | None:
        """Return where a page of the site starts; a cursor that is none leads to the first page."""
        try:
            return self.position(request, request.GET.get("cursor"), filters)
        except CursorInvalid:
            return None

    def after(self, rows: QuerySet[M], position: Position | None) -> QuerySet[M]:
        """Return the rows in this order, those after `position` only."""
        ordered = rows.order_by(*self.order)
        return ordered if position is None else ordered.filter(self.condition(position))

    def condition(self, position: Sequence[Any]) -> Q:
        """Return "stands after `position`", whose values may be holes of a compiled query.

        `a <= x and (a < x or a = x and …)`: the first half is what an index is entered with; a bare *or* reads it
        whole.
        """
        name, value, rest = self.names[0], position[0], Q()
        for deeper, bound in reversed(list(zip(self.names[1:], position[1:], strict=True))):
            beyond = Q((f"{deeper}__{self.comparison}", bound))
            rest = beyond | (Q((deeper, bound)) & rest) if rest else beyond
        if not rest:
            return Q((f"{name}__{self.comparison}", value))
        return Q((f"{name}__{self.comparison}e", value)) & (Q((f"{name}__{self.comparison}", value)) | rest)

    def cursor(self, request: HttpRequest, position: Sequence[Any], filters: Iterable[str] | None = None) -> str:
        """Return the cursor of the page after `position` of the query that this request asks."""
        return sealed(orjson.dumps(list(position), default=str), query_digest(request, filters))

    def answer(
        self,
        request: HttpRequest,
        rows: Iterable[Row],
        limit: int,
        *,
        show: Callable[[Row], dict[str, Any]],
        key: Callable[[Row], Position],
    ) -> HttpResponse:
        """Return `{"items", "next_cursor"}` of `limit` rows; `rows` has one more where another page follows."""
        found = list(rows)
        following = key(found[limit - 1]) if len(found) > limit else None
        return self.answer_up_to(request, [show(row) for row in found[:limit]], following)

    def answer_up_to(self, request: HttpRequest, items: list[dict[str, Any]], last: Position | None) -> HttpResponse:
        """Return `{"items", "next_cursor"}`; `last` is the sort key of the last row *read*, None if nothing is left."""
        cursor = self.cursor(request, last) if last is not None else None
        response = json_answer({"items": items, "next_cursor": cursor})
        if cursor is not None:
            response["Link"] = f'<{next_address(request, cursor)}>; rel="next"'
        return response


def sift(
    read: Callable[[Position | None, int], Sequence[Row]],
    position: Position | None,
    limit: int,
    *,
    keep: Callable[[Row], bool],
    key: Callable[[Row], Position],
    at_most: int = CANDIDATES,
) -> tuple[list[Row], Position | None]:
    """Read on until `limit` rows are kept or `at_most` seen; return them and the last position read, None at the end.

    `read(position, count)` returns the next rows after a position.
    """
    kept: list[Row] = []
    seen = 0
    while seen < at_most:
        count = min(max(2 * limit, 20), at_most - seen)
        rows = read(position, count)
        for row in rows:
            seen, position = seen + 1, key(row)
            if keep(row):
                kept.append(row)
            if len(kept) == limit:
                is_last = row is rows[-1] and len(rows) < count
                return kept, None if is_last else position
        if len(rows) < count:
            return kept, None
    return kept, position


def query_digest(request: HttpRequest, filters: Iterable[str] | None) -> bytes:
    """Return what tells this query from others: its path and its filters, in any order."""
    names = set(request.GET) - NOT_OF_THE_QUERY if filters is None else set(filters)
    asked = sorted((name, value) for name in names for value in request.GET.getlist(name))
    return hashlib.sha256(orjson.dumps([request.path, asked])).digest()[:DIGEST]


def next_address(request: HttpRequest, cursor: str) -> str:
    parameters = [(name, value) for name in request.GET if name != "cursor" for value in request.GET.getlist(name)]
    return f"{request.path}?{urlencode([*parameters, ('cursor', cursor)])}"


def sealed(values: bytes, digest: bytes) -> str:
    token = digest + signature(settings.SECRET_KEY, digest + values) + values
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def opened(cursor: str, digest: bytes) -> list[Any]:
    """Return the values inside a cursor; raise CursorInvalid unless we made it, for this query."""
    token = decoded(cursor)
    stated, mac, values = token[:DIGEST], token[DIGEST : DIGEST + SIGNATURE], token[DIGEST + SIGNATURE :]
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(hmac.compare_digest(mac, signature(key, stated + values)) for key in keys) or stated != digest:
        raise CursorInvalid
    opened_values: list[Any] = orjson.loads(values)
    return opened_values


def decoded(cursor: str) -> bytes:
    """Return the bytes of a cursor in its one spelling."""
    try:
        token = base64.b64decode(cursor[:LONGEST] + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CursorInvalid from None
    if base64.urlsafe_b64encode(token).rstrip(b"=").decode() != cursor:
        raise CursorInvalid
    return token


def signature(key: str, message: bytes) -> bytes:
    return hmac.digest(cursor_key(key), message, "sha256")[:SIGNATURE]


@cache
def cursor_key(key: str) -> bytes:
    """Return the key that signs cursors and nothing else."""
    return hmac.digest(key.encode(), b"lk cursor", "sha256")
