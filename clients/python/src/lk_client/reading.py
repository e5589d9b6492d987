"""JSON into frozen dataclasses, by their annotations.

A member that the dataclass does not know is kept in `raw`, so an LK that has grown breaks nobody. One that may be
missing is None.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from lk_client.calls import Answer, Page

R = TypeVar("R", bound="Record")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One thing that LK answers. `raw` is the whole document, with members that this package does not know yet."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def one(kind: type[R]) -> Callable[[Answer], R]:
    """Return a function that reads an answer as one record."""
    return lambda answer: record(kind, answer.json())


def page(kind: type[R]) -> Callable[[Answer], Page[R]]:
    """Return a function that reads an answer as a page of records."""

    def read(answer: Answer) -> Page[R]:
        document = answer.json()
        return Page(tuple(record(kind, item) for item in document["items"]), document.get("next_cursor"))

    return read


def nothing(answer: Answer) -> None:
    """Read an answer that says nothing but its status."""


def record(kind: type[R], document: Mapping[str, Any]) -> R:
    """Return a document as a record. Raises KeyError, TypeError and ValueError for one that does not fit."""
    if not isinstance(document, Mapping):
        raise TypeError(f"{kind.__name__} is not an object")
    values: dict[str, Any] = {"raw": document}
    for member in members(kind):
        if member.name in document:
            values[member.name] = member.read(document[member.name])
        elif member.may_be_null and not member.has_default:
            values[member.name] = None
        elif not member.has_default:
            raise KeyError(f"{kind.__name__} without {member.name}")
    return kind(**values)


@dataclass(frozen=True)
class Member:
    """How one member of a record is read."""

    name: str
    read: Callable[[Any], Any]
    may_be_null: bool
    has_default: bool


MEMBERS: dict[type[Any], list[Member]] = {}  # of each kind of record, worked out once


def members(kind: type[Any]) -> list[Member]:
    if kind not in MEMBERS:
        hints = get_type_hints(kind)
        MEMBERS[kind] = [
            Member(each.name, reader(hints[each.name]), is_optional(hints[each.name]), has_default(each))
            for each in fields(kind)
            if each.name != "raw"
        ]
    return MEMBERS[kind]


def has_default(each: Field[Any]) -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING


def is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def reader(hint: Any) -> Callable[[Any], Any]:
    """Return the function that reads a value of this annotation."""
    if is_optional(hint):
        inner = reader(next(part for part in get_args(hint) if part is not type(None)))
        return lambda value: None if value is None else inner(value)
    if get_origin(hint) is tuple:
        each = reader(get_args(hint)[0])
        return lambda value: tuple(each(item) for item in value)
    if is_dataclass(hint):
        return lambda value: record(hint, value)  # type: ignore[arg-type, type-var]
    return PLAIN.get(hint, as_it_is)


def as_it_is(value: Any) -> Any:
    return value


def moment(value: str) -> datetime:
    """Return a time with its zone. Python 3.10 does not read `Z`."""
    return datetime.fromisoformat(value.removesuffix("Z") + "+00:00" if value.endswith("Z") else value)


PLAIN: dict[Any, Callable[[Any], Any]] = {Decimal: Decimal, datetime: moment, date: date.fromisoformat}
