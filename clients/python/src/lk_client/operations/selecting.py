"""Lists and their filters, and `fields` and `expand`, which make rows of their own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, overload

from lk_client.calls import Answer, Call, Listing, Page, money, query
from lk_client.reading import Record, page

R = TypeVar("R", bound=Record)
Row = Mapping[str, Any]
Several = str | Sequence[str] | None
Names = str | Sequence[str] | None
ROUBLES = ("price_min", "price_max")


@overload
def listing(kind: type[R], address: str, filters: Mapping[str, Any]) -> Listing[R]: ...
@overload
def listing(kind: None, address: str, filters: Mapping[str, Any]) -> Listing[Row]: ...
def listing(kind: type[Record] | None, address: str, filters: Mapping[str, Any]) -> Listing[Any]:
    """Return a list of records, or of plain rows where no kind is named."""
    asked = query(**{name: sendable(name, value) for name, value in filters.items()})
    return Listing(Call("GET", address, page(kind) if kind else rows, query=asked))


def sendable(name: str, value: Any) -> Any:
    """Return a filter as it travels: things by their ids, roubles checked.

    Raises ValueError for an empty list: it would be no filter at all, and the answer everything.
    """
    if name in ROUBLES:
        return money(value)
    if isinstance(value, (list, tuple)):
        if not value:
            raise ValueError(f"{name} is empty: leave it out to ask for all")
        return [sendable(name, each) for each in value]
    return value.id if hasattr(value, "id") else value


def rows(answer: Answer) -> Page[Row]:
    document = answer.json()
    return Page(tuple(document["items"]), document.get("next_cursor"))


def row(address: str, fields: Names, expand: Names) -> Call[Row]:
    return Call("GET", address, Answer.json, query=query(**selection(fields, expand)))


def selection(fields: Names, expand: Names) -> dict[str, str | None]:
    return {"fields": with_commas(fields), "expand": with_commas(expand)}


def with_commas(names: Names) -> str | None:
    return names if names is None or isinstance(names, str) else ",".join(names)
