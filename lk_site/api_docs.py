"""`openapi.json`, and a page that reads without scripts, tries calls with them, and needs nothing from elsewhere."""

import json
import re
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from lk_site.answers import JSON
from lk_site.api_doc_fields import fields_of, kind_of

ROOT = "api/v1/"
TO_RECEIVERS = "the address of your webhook"
PIECES = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*)")


@require_safe
def openapi_json(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """Answer the OpenAPI 3.1 document."""
    return HttpResponse(document(api), content_type=JSON)


@require_safe
def docs(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """Show the document as a page; who is signed in gets the CSRF cookie, and can try calls by the session."""
    if request.user.is_authenticated:
        get_token(request)
    return HttpResponse(page(api))


@cache
def page(api: NinjaAPI) -> str:
    """Return the page, drawn once: nothing on it is of who reads it."""
    schema = json.loads(document(api))
    about = paragraphs(schema["info"]["description"])
    context = {"info": schema["info"], "about": about, "groups": groups(schema), "problems": problems(schema)}
    return render_to_string("api/docs.html", context)


@cache
def document(api: NinjaAPI) -> str:
    """Return the OpenAPI document as it is served and committed."""
    schema = api.get_openapi_schema(path_prefix=ROOT)
    return json.dumps(schema, ensure_ascii=False, indent=2, default=str) + "\n"


def groups(schema: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return operations by their first tag, in the order of the document."""
    found: dict[str, list[dict[str, Any]]] = {}
    sent = [(TO_RECEIVERS, methods) for methods in schema.get("webhooks", {}).values()]
    for address, methods in [*schema["paths"].items(), *sent]:
        for method, details in methods.items():
            tag = details.get("tags", ["other"])[0]
            found.setdefault(tag, []).append(shown(schema["components"]["schemas"], address, method, details))
    return list(found.items())


def shown(schemas: dict[str, Any], address: str, method: str, details: dict[str, Any]) -> dict[str, Any]:
    answers = [
        (status, response["description"], codes(response), part_of(schemas, response))
        for status, response in sorted(details["responses"].items())
    ]
    return {
        **details,
        "about": paragraphs(details.get("description") or details["summary"]),
        "is_called": address != TO_RECEIVERS,
        "method": method.upper(),
        "address": address,
        "parameters": [parameter_of(schemas, parameter) for parameter in details["parameters"]],
        "body": part_of(schemas, details.get("requestBody", {})),
        "answers": answers,
    }


def parameter_of(schemas: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    about = paragraphs(parameter.get("description", ""))
    return {**parameter, "about": about, "kind": kind_of(schemas, parameter["schema"])}


def part_of(schemas: dict[str, Any], told: dict[str, Any]) -> dict[str, Any] | None:
    """Return the example of a request or an answer and the fields of its schema, nothing where it has no JSON."""
    content = told.get("content", {}).get(JSON)
    if not content:
        return None
    fields = [{**field, "about": paragraphs(field["about"])} for field in fields_of(schemas, content["schema"])]
    return {"example": pretty(content["example"]), "fields": fields}


def paragraphs(text: str) -> list[list[tuple[str, str]]]:
    """Return the paragraphs of a description as pieces, each with what it is: plain, `code` or **strong**."""
    return [[piece(part) for part in PIECES.split(told) if part] for told in text.strip().split("\n\n") if told]


def piece(part: str) -> tuple[str, str]:
    if part.startswith("`"):
        return "code", part.strip("`")
    return ("strong", part.strip("*")) if part.startswith("**") else ("plain", part)


def codes(response: dict[str, Any]) -> list[str]:
    return [code for content in response.get("content", {}).values() for code in content.get("examples", {})]


def pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def problems(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every refusal once, by code: what `type` in a problem document points at."""
    return [example["value"] for example in schema["components"]["examples"].values()]
