"""What may be said to the API at all: one spelling of JSON, known parameters, text that both databases can keep."""

import functools
import inspect
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _
from ninja.operation import Operation
from ninja.parser import Parser

from lk_site.errors import DomainError, FieldError
from lk_site.problems import domain_problem

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

DEPTH = 20  # security.md 6
NUMBER_CHARACTERS = 40
NAME_CHARACTERS = 60  # of one name that the client made up
REFUSED_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # all controls but tab, LF and CR

MESSAGES: dict[str, "_StrOrPromise"] = {
    "bad_character": _("The text has a character that cannot be stored."),
    "duplicate_key": _("This name stands here twice."),
    "not_an_object": _("This must be an object."),
    "unknown_field": _("There is no such field here."),
    "number_out_of_range": _("This number is too long."),
    "number_not_finite": _("JSON has no such number."),
    "too_deep": _("This is nested too deep."),
    "repeated_parameter": _("This parameter may be given once."),
    "unknown_parameter": _("This address knows no such parameter."),
}


class NotJson(DomainError):
    """The body is not JSON in UTF-8."""

    code = "not_json"
    status = 400
    sentence = _("The body is not JSON in UTF-8.")


class Unfit(DomainError):
    """The body or the query is well-formed and says what no operation can mean."""

    code = "invalid"
    sentence = _("Some fields need a change.")

    @classmethod
    def at(cls, pointer: str, code: str) -> "Unfit":
        return cls(errors=[FieldError(pointer, code, MESSAGES[code])])


@dataclass(frozen=True)
class Refused:
    """Stands in a parsed body for what will not do, until the walk knows where that is."""

    code: str
    name: str = ""


class StrictParser(Parser):
    """Ninja's parser of bodies and queries, without its lenience."""

    def parse_body(self, request: HttpRequest) -> Any:
        return parse(request.body)

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        clean = {name: [unicodedata.normalize("NFC", value) for value in values] for name, values in data.lists()}
        return {name: values if name in list_fields else values[-1] for name, values in clean.items()}


def is_json(request: HttpRequest) -> bool:
    """Return whether the body is declared as what the API reads."""
    return request.content_type == "application/json" and is_utf_8(request)


def is_utf_8(request: HttpRequest) -> bool:
    """Return whether the body is declared as UTF-8, or no encoding of it is named."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    return charset.lower() in ("utf-8", "utf8")


def parse(body: bytes) -> Any:
    """Return the value of a JSON text, its strings in NFC. Raises NotJson, and Unfit at the first trouble."""
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=without_duplicates,
            parse_float=number,
            parse_int=integer,
            parse_constant=no_number,
        )
    except RecursionError:
        raise Unfit.at("", "too_deep") from None
    except ValueError:
        raise NotJson from None
    return normalized(value, "", DEPTH)


def normalized(value: Any, pointer: str, depth: int) -> Any:
    """Return the value with every text in NFC; raise Unfit for what may stand nowhere in a body."""
    if isinstance(value, str):
        return normalized_text(value, pointer)
    if isinstance(value, Refused):
        raise Unfit.at(f"{pointer}{step(value.name)}" if value.name else pointer, value.code)
    if not isinstance(value, (dict, list)):
        return value
    if not depth:
        raise Unfit.at(pointer, "too_deep")
    if isinstance(value, list):
        return [normalized(item, f"{pointer}/{at}", depth - 1) for at, item in enumerate(value)]
    return normalized_object(value, pointer, depth)


def normalized_object(value: dict[str, Any], pointer: str, depth: int) -> dict[str, Any]:
    clean: dict[str, Any] = {}
    for name, item in value.items():
        key = normalized_text(name, pointer)
        if key in clean:
            raise Unfit.at(pointer + step(key), "duplicate_key")
        clean[key] = normalized(item, pointer + step(key), depth - 1)
    return clean


def normalized_text(text: str, pointer: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    if REFUSED_CHARACTER.search(text):
        raise Unfit.at(pointer, "bad_character")
    return unicodedata.normalize("NFC", text)


def step(name: str) -> str:
    """Return one step of a JSON pointer."""
    return "/" + name[:NAME_CHARACTERS].replace("~", "~0").replace("/", "~1")


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Refused:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for name, _value in pairs:
        if name in seen:
            break
        seen.add(name)
    return Refused("duplicate_key", REFUSED_CHARACTER.sub("", name))


def number(text: str) -> Decimal | Refused:
    if len(text) > NUMBER_CHARACTERS or not math.isfinite(float(text)):
        return Refused("number_out_of_range")
    try:
        value = Decimal(text)
    except InvalidOperation:
        return Refused("number_out_of_range")
    return value if -NUMBER_CHARACTERS <= value.adjusted() <= NUMBER_CHARACTERS else Refused("number_out_of_range")


def integer(text: str) -> int | Refused:
    return int(text) if len(text) <= NUMBER_CHARACTERS // 2 else Refused("number_out_of_range")


def no_number(text: str) -> Refused:
    return Refused("number_not_finite")


def known_parameters(run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Refuse what the operation does not declare: parameters of the query, and a body where it takes none.

    For `api.add_decorator(…, mode="view")`.
    """
    operation: Operation = inspect.unwrap(run).__self__
    queries = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    known = frozenset(name for model in queries for name in model.__ninja_flatten_map__)
    lists = frozenset(name for model in queries for name in getattr(model, "__ninja_collection_fields__", ()))
    has_body = any(model.__ninja_param_source__ == "body" for model in operation.models)

    @functools.wraps(run)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.operation = operation  # type: ignore[attr-defined]
        errors = list(wrong_parameters(request, known, lists)) if request.META.get("QUERY_STRING") else []
        if (errors or not has_body) and (refused := first_refusal(request, errors, has_body=has_body)):
            return domain_problem(request, refused)
        return run(request, *args, **kwargs)

    return checked


def wrong_parameters(request: HttpRequest, known: frozenset[str], lists: frozenset[str]) -> Iterator[FieldError]:
    """Yield what is wrong with the names of the query, and with text that was broken on the way."""
    for name, values in request.GET.lists():
        code = ""
        if any(REFUSED_CHARACTER.search(text) or "\ufffd" in text for text in (name, *values)):
            code = "bad_character"
        elif name not in known:
            code = "unknown_parameter"
        elif len(values) > 1 and name not in lists:
            code = "repeated_parameter"
        if code:
            yield FieldError("?" + REFUSED_CHARACTER.sub("", name)[:NAME_CHARACTERS], code, MESSAGES[code])


def first_refusal(request: HttpRequest, errors: list[FieldError], *, has_body: bool) -> DomainError | None:
    """Return the refusal of a query, or that of the body where there is no JSON: 400 comes before 422."""
    try:
        body = parse(request.body) if request.body else {}
        errors = errors if has_body else [*errors, *unknown_fields(body)]
    except NotJson as refused:
        return refused
    except Unfit as refused:
        errors = errors + refused.errors
    return Unfit(errors=errors) if errors else None


def unknown_fields(body: Any) -> Iterator[FieldError]:
    """Yield what is wrong with a body where none is taken: everything but nothing and `{}`."""
    if not isinstance(body, dict):
        yield FieldError("", "not_an_object", MESSAGES["not_an_object"])
        return
    for name in body:
        yield FieldError(step(name), "unknown_field", MESSAGES["unknown_field"])
