"""How values travel in JSON: money with two decimals, times in UTC with `Z`."""

from decimal import Decimal
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from ninja.renderers import BaseRenderer

JSON = "application/json"


def to_json(data: Any) -> bytes:
    """Return the JSON of dicts, lists, and the values that models hold."""
    return orjson.dumps(data, default=plain, option=orjson.OPT_UTC_Z)


def plain(value: Any) -> str:
    """Return the text of a value that JSON has no word for. Decimals are money or percents: two places."""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def json_answer(data: Any, status: int = 200) -> HttpResponse:
    """Return a ready answer: ninja passes it through, which for a list costs a fraction of its response schema."""
    return HttpResponse(to_json(data), status=status, content_type=JSON)


class Ready(dict[str, Any]):
    """A row as its response schema says (a test holds it to that): it is written as it is, not validated again."""

    @property
    def version(self) -> int:
        return int(self["version"])


class Renderer(BaseRenderer):
    """What ninja renders single objects with: the same JSON as `json_answer`."""

    media_type = JSON

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return to_json(data)
