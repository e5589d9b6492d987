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
SAMPLES = {  # by format, then by type
    "uuid": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8",
    "date": "2026-12-01",
    "date-time": "2026-11-23T09:05:00Z",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "null": None,
}


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
            found.setdefault(tag, []).append(shown(schema, address, method, details))
    return list(found.items())


def shown(schema: dict[str, Any], address: str, method: str, details: dict[str, Any]) -> dict[str, Any]:
    body = details.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    answers = [
        (status, response["description"], codes(response), sample_of(schema, response))
        for status, response in sorted(details["responses"].items())
    ]
    return {
        **details,
        "method": method.upper(),
        "address": address,
        "body": pretty(sample(schema, body)) if body else "",
        "answers": answers,
    }


def codes(response: dict[str, Any]) -> list[str]:
    return [code for content in response.get("content", {}).values() for code in content.get("examples", {})]


def sample_of(schema: dict[str, Any], response: dict[str, Any]) -> str:
    found = response.get("content", {}).get(JSON, {}).get("schema")
    return pretty(sample(schema, found)) if found else ""


def pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def sample(schema: dict[str, Any], part: dict[str, Any]) -> Any:
    """Return an example value of a schema: its own, or one made of the examples inside."""
    if "examples" in part:
        return part["examples"][0]
    if "$ref" in part:
        return sample(schema, schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[-1]])
    for several in ("allOf", "anyOf", "oneOf"):
        if several in part:
            return sample(schema, part[several][0])
    if part.get("type") == "object":
        return {name: sample(schema, inner) for name, inner in part.get("properties", {}).items()}
    if part.get("type") == "array":
        return [sample(schema, part["items"])]
    return plain_sample(part)


def plain_sample(part: dict[str, Any]) -> Any:
    """Return an example of a schema without parts."""
    if "default" in part or "enum" in part or "const" in part:
        return part.get("default", part.get("const", part.get("enum", [None])[0]))
    by_format = {
        "uuid": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8",
        "date": "2026-12-01",
        "date-time": "2026-11-23T09:05:00Z",
    }
    by_type = {"integer": 1, "number": 1, "boolean": True, "null": None}
    return by_format.get(part.get("format", "")) or by_type.get(part.get("type", ""), "…")


def problems(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every refusal once, by code: what `type` in a problem document points at."""
    return [example["value"] for example in schema["components"]["examples"].values()]
