"""`openapi.json`, and a page to read it that needs no script and nothing from elsewhere."""

import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from lk_site.answers import JSON

ROOT = "api/v1/"


@require_safe
def openapi_json(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """Answer the OpenAPI 3.1 document."""
    return HttpResponse(document(api), content_type=JSON)


@require_safe
def docs(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """Show the document as a page."""
    schema = json.loads(document(api))
    context = {"info": schema["info"], "groups": groups(schema), "problems": problems(schema)}
    return render(request, "api/docs.html", context)


@cache
def document(api: NinjaAPI) -> str:
    """Return the OpenAPI document as it is served and committed."""
    schema = api.get_openapi_schema(path_prefix=ROOT)
    return json.dumps(schema, ensure_ascii=False, indent=2, default=str) + "\n"


def groups(schema: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return operations by their first tag, in the order of the document."""
    found: dict[str, list[dict[str, Any]]] = {}
    for address, methods in schema["paths"].items():
        for method, details in methods.items():
            tag = details.get("tags", ["other"])[0]
            found.setdefault(tag, []).append(shown(address, method, details))
    return list(found.items())


def shown(address: str, method: str, details: dict[str, Any]) -> dict[str, Any]:
    answers = [
        (status, response["description"], codes(response), example_in(response))
        for status, response in sorted(details["responses"].items())
    ]
    return {
        **details,
        "method": method.upper(),
        "address": address,
        "body": example_in(details.get("requestBody", {})),
        "answers": answers,
    }


def codes(response: dict[str, Any]) -> list[str]:
    return [code for content in response.get("content", {}).values() for code in content.get("examples", {})]


def example_in(told: dict[str, Any]) -> str:
    """Return the example of a request or an answer, nothing where it has no JSON."""
    content = told.get("content", {}).get(JSON)
    return pretty(content["example"]) if content else ""


def pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def problems(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every refusal once, by code: what `type` in a problem document points at."""
    return [example["value"] for example in schema["components"]["examples"].values()]
