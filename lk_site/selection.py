"""`fields=` and `expand=`: which members of a thing a program wants, and which ids it wants the things of instead."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from ninja import Schema
from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from lk_site.answers import Ready
from lk_site.errors import DomainError, FieldError
from lk_site.invalid import at_most_items, one_of
from lk_site.schemas import absent

FIELDS_AT_MOST, EXPANSIONS_AT_MOST = 50, 5
FIELDS = "Names of members with commas between: only these are answered."
EXPAND = "Names with commas between: instead of its id, the thing itself, as its own list shows it."


class NotAmongFields(DomainError):
    """`expand` names what `fields` leaves out."""

    code = "invalid"
    sentence = _("Some fields need a change.")

    def __init__(self) -> None:
        message = _("This is not among the fields that you ask for.")
        super().__init__(errors=[FieldError("?expand", "not_among_fields", message)])


@dataclass(frozen=True)
class Names:
    """Annotates a parameter that names some of the `known`, with commas between, and at most `most` of them."""

    known: tuple[str, ...]
    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, core_schema.str_schema())

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        one = "|".join(map(re.escape, self.known))
        pattern = f"^({one})(,({one})){{0,{self.most - 1}}}$"
        return {"type": "string", "pattern": pattern, "examples": [",".join(self.known[:2])]}

    def check(self, value: str) -> str:
        names = value.split(",")
        if len(names) > self.most:
            raise refusal("too_many", str(at_most_items({"max_length": self.most})))
        if not set(names) <= set(self.known):
            raise refusal("unknown", one_of(self.known))
        return value


def refusal(code: str, sentence: str) -> PydanticCustomError:
    return PydanticCustomError(code, "{sentence}", {"sentence": sentence})


def members(schema: type[Schema]) -> Names:
    """Return what `fields` may name: the members of an answer."""
    return Names(tuple(schema.model_fields), FIELDS_AT_MOST)


def expansions(*names: str) -> Names:
    """Return what `expand` may name."""
    return Names(names, EXPANSIONS_AT_MOST)


class AskedFor(Schema):
    """What answers look like only where a parameter asks for it: no change for who does not."""

    model_config = ConfigDict(json_schema_extra={"x-asked-for": True})


def selected(schema: type[Schema], **expanded: Any) -> type[Schema]:
    """Return the schema of what `fields` and `expand` make of an answer: any of its members, some of them expanded."""
    fields: dict[str, Any] = {name: (kind_of(field), left_out(field)) for name, field in schema.model_fields.items()}
    for name, kind in expanded.items():
        fields[name] = (fields[name][0] | kind, absent())
    about = f"What `fields` and `expand` ask for of `{schema.__name__}`."
    return create_model(f"Selected{schema.__name__}", __base__=AskedFor, __doc__=about, **fields)


def selected_page(of: type[Schema]) -> type[Schema]:
    """Return the schema of a page of selected items."""
    fields: dict[str, Any] = {"items": (list[of], Field()), "next_cursor": (str | None, Field(examples=[None]))}  # type: ignore[valid-type]
    return create_model(f"{of.__name__}Page", __base__=AskedFor, **fields)


def kind_of(field: FieldInfo) -> Any:
    """Return the type of a member with what is annotated to it."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def left_out(field: FieldInfo) -> Any:
    """Return a member that need not be there, which is not the same as null."""
    return Field(default_factory=lambda: None, description=field.description, examples=field.examples)


class Selecting(Schema):
    """Parameters of a read that answers what is asked for; subclasses say what `fields` and `expand` may name."""

    fields: str | None = None
    expand: str | None = None

    def selection(self) -> "Selection":
        """Return what is asked for. Raises NotAmongFields."""
        return Selection.of(self.fields, self.expand)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for: all members where `fields` names none."""

    fields: frozenset[str] = frozenset()
    expand: tuple[str, ...] = ()

    @classmethod
    def of(cls, fields: str | None, expand: str | None) -> "Selection":
        if fields is None and expand is None:
            return WHOLE
        asked = frozenset(fields.split(",") if fields else ())
        expanded = tuple(dict.fromkeys(expand.split(","))) if expand else ()
        if asked and not asked.issuperset(expanded):
            raise NotAmongFields
        return cls(asked, expanded)

    def shows(self, name: str) -> bool:
        return not self.fields or name in self.fields

    def parts(self, items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the members that are asked for, of each item."""
        if not self.fields:
            return list(items)
        return [{name: value for name, value in item.items() if name in self.fields} for item in items]


WHOLE = Selection()


class Part(Ready):
    """Some members of a row. Its version tags the answer, shown or not."""

    def __init__(self, members: dict[str, Any], version: int) -> None:
        super().__init__(members)
        self.row_version = version

    @property
    def version(self) -> int:
        return self.row_version
