"""What pydantic says about a shape, in our codes and the asker's language."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from ninja.errors import ValidationErrorContext
from pydantic import ValidationError

from lk_site.errors import FieldError, InvalidValue
from lk_site.strict_json import NAME_CHARACTERS, step

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

QUOTED = re.compile("'([^']*)'")  # pydantic writes what it expects as: 'sale', 'let' or 'rent'
Facts = dict[str, Any]
Sentence = Callable[[Facts], "_StrOrPromise"]


def at_most_characters(facts: Facts) -> "_StrOrPromise":
    most = int(facts["max_length"])
    return ngettext("At most %d character.", "At most %d characters.", most) % most


def at_least_characters(facts: Facts) -> "_StrOrPromise":
    least = int(facts["min_length"])
    if least == 1:
        return _("This is empty.")
    return ngettext("At least %d character.", "At least %d characters.", least) % least


def at_most_items(facts: Facts) -> "_StrOrPromise":
    most = int(facts["max_length"])
    return ngettext("At most %d of these.", "At most %d of these.", most) % most


def at_least_items(facts: Facts) -> "_StrOrPromise":
    least = int(facts["min_length"])
    return ngettext("At least %d of these.", "At least %d of these.", least) % least


def one_of(names: Iterable[str]) -> str:
    return str(_("One of these: %s.")) % ", ".join(names)


def bound(name: str, sentence: "_StrOrPromise") -> Sentence:
    return lambda facts: str(sentence) % {"bound": facts[name]}


def plainly(sentence: "_StrOrPromise") -> Sentence:
    return lambda facts: sentence


NOT_TEXT = ("not_text", plainly(_("This must be text.")))
NOT_WHOLE = ("not_a_whole_number", plainly(_("This must be a whole number.")))
NOT_NUMBER = ("not_a_number", plainly(_("This must be a number, with at most two decimals.")))
NOT_ID = ("not_an_id", plainly(_("This is not an id.")))
NOT_DATE = ("not_a_date", plainly(_("Write the date as YYYY-MM-DD.")))
NOT_TIME = ("not_a_time", plainly(_("Write the time as RFC 3339 does, with its zone.")))
NOT_BOOLEAN = ("not_a_boolean", plainly(_("This must be true or false.")))
NOT_OBJECT = ("not_an_object", plainly(_("This must be an object.")))
NOT_A_CHOICE: tuple[str, Sentence] = ("unknown", lambda facts: one_of(QUOTED.findall(facts["expected"])))
REFUSED = ("invalid", plainly(_("This does not fit.")))

KINDS: dict[str, tuple[str, Sentence]] = {  # by pydantic's type of the error
    "missing": ("required", plainly(_("This is needed."))),
    "extra_forbidden": ("unknown_field", plainly(_("There is no such field here."))),
    "string_too_long": ("too_long", at_most_characters),
    "string_too_short": ("too_short", at_least_characters),
    "too_long": ("too_many", at_most_items),
    "too_short": ("too_few", at_least_items),
    "list_type": ("not_a_list", plainly(_("This must be a list."))),
    "greater_than_equal": ("out_of_range", bound("ge", _("At least %(bound)s."))),
    "greater_than": ("out_of_range", bound("gt", _("More than %(bound)s."))),
    "less_than_equal": ("out_of_range", bound("le", _("At most %(bound)s."))),
    "less_than": ("out_of_range", bound("lt", _("Less than %(bound)s."))),
    "enum": NOT_A_CHOICE,
    "literal_error": NOT_A_CHOICE,
}
FAMILIES: dict[str, tuple[str, Sentence]] = {  # by the beginning of that type
    "string": NOT_TEXT,
    "int": NOT_WHOLE,
    "decimal": NOT_NUMBER,
    "float": NOT_NUMBER,
    "finite": NOT_NUMBER,
    "uuid": NOT_ID,
    "datetime": NOT_TIME,
    "timezone": NOT_TIME,
    "date": NOT_DATE,
    "bool": NOT_BOOLEAN,
    "dict": NOT_OBJECT,
    "model": NOT_OBJECT,
}


def field_errors(contexts: Iterable[ValidationErrorContext[Any]]) -> Iterator[FieldError]:
    """Yield what is wrong with path, query and body."""
    for context in contexts:
        for error in context.pydantic_validation_error.errors(include_url=False, include_input=False):
            code, message = said(error["type"], error["msg"], error.get("ctx", {}))
            yield FieldError(pointer(context.model, error["loc"]), code, message)


def shape_errors(wrong: ValidationError) -> list[FieldError]:
    """Return what is wrong with one thing that a schema alone has looked at."""
    return [
        FieldError(steps(error["loc"]), *said(error["type"], error["msg"], error.get("ctx", {})))
        for error in wrong.errors(include_url=False, include_input=False)
    ]


def steps(location: Iterable[str | int]) -> str:
    """Return a JSON pointer."""
    return "".join(step(str(part)) for part in location)


def said(kind: str, message: str, facts: Facts) -> tuple[str, "_StrOrPromise"]:
    """Return code and sentence of one error; a refusal of our own checks brings both."""
    refused = facts.get("error")
    if isinstance(refused, InvalidValue):
        return refused.code, refused.message
    if "sentence" in facts:
        return kind, message
    code, sentence = KINDS.get(kind) or FAMILIES.get(kind.partition("_")[0]) or REFUSED
    return code, sentence(facts)


def pointer(model: Any, location: tuple[str | int, ...]) -> str:
    """Return the JSON pointer into the body, `?name` for a parameter of the query."""
    if model.__ninja_param_source__ == "query":
        for name, path in model.__ninja_flatten_map__.items():
            if location[: len(path)] == tuple(path):
                return f"?{name}"
        return f"?{location[0]}"[:NAME_CHARACTERS]
    if model.__ninja_param_source__ != "body":
        return ""
    inner = location[1:] if getattr(model, "__read_from_single_attr__", None) else location
    return steps(inner)
