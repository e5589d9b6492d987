"""What ninja does not say in OpenAPI: every refusal, headers, and who may call."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils import translation
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from lk_site.answers import JSON
from lk_site.api_examples import sample
from lk_site.errors import Stale
from lk_site.middleware.gates import BEFORE_CONSENT_API, SAFE_METHODS
from lk_site.problems import PROBLEM_JSON, REFUSALS, TITLES

DESCRIPTION = """\
Deals and clients of a real-estate agency, for programs.

JSON in UTF-8, `snake_case`. Times are RFC 3339 in UTC, money is a string with two decimals. Absent is not `null`.
Lists of codes may grow. An unknown field or query parameter is 422.

**Signing in.** `POST /auth/send-code`, then `POST /auth/verify-code` with the cookies it set. Unsafe methods carry the
value of the CSRF cookie in `X-CSRFToken`.

**Refusals** are RFC 9457 problem documents. `code` is stable and for programs.

**Pages.** `?limit=` and `?cursor=`; the next page is named by `next_cursor` and `Link`.

**Writing safely.** `Idempotency-Key` on POST and PATCH replays the first answer. `If-Match` with the `ETag` or the
`version` of a row refuses changes made from an older one.

**Limits.** `RateLimit-Policy` and `RateLimit` say what is left; 429 carries `Retry-After`.
"""
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "A refusal (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "instance", "request_id", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people, in the language asked for."},
        "code": {"type": "string", "description": "For programs; never changes."},
        "instance": {"type": "string", "format": "uri-reference"},
        "request_id": {"type": "string"},
        "current_version": {"type": "integer", "description": "Of `stale`: the version that the row has now."},
        "changed_fields": {"type": "array", "items": {"type": "string"}, "description": "Of `stale`: since then."},
        "client": {"type": "string", "format": "uuid", "description": "Of `client_exists`: who is in the way."},
        "retry_after": {"type": "integer", "description": "Of `limit_reached`: seconds, as in `Retry-After`."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer into the body, or `?name` of a parameter.",
                    },
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
SESSION = {"type": "apiKey", "in": "cookie", "name": "__Host-lk", "description": "Set by `POST /auth/verify-code`."}
TAG = {"schema": {"type": "string"}, "description": '`"<version>.<digest of this body>"`'}
FACTS: dict[str, dict[str, Any]] = {
    "invalid": {"errors": [{"pointer": "/price", "code": "out_of_range", "message": "This does not fit."}]},
}
ANYWHERE = (  # a body may be wrong where none is taken too
    *("bad_request", "not_json", "length_required", "too_large", "not_json_type"),
    *("invalid", "too_often", "server_error", "unavailable"),
)


@dataclass(frozen=True, order=True)
class Refusal:
    """One way to say no. `facts` are the members that only its own document has."""

    status: int
    code: str
    title: str
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict, compare=False)

    def example(self) -> dict[str, Any]:
        return {
            "type": f"/api/v1/docs#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.sentence,
            "code": self.code,
            "instance": "/api/v1/…",
            "request_id": "3f1d0c6f9a2b4e57",
            "errors": [],
            **self.facts,
        }


def completed(schema: OpenAPISchema, operations: Iterable[Operation]) -> OpenAPISchema:
    """Return ninja's document with all that the edge and the rules may answer."""
    known = {operation.operation_id or operation.view_func.__name__: operation for operation in operations}
    found: set[Refusal] = set()
    with translation.override("en"):
        for address, methods in schema["paths"].items():
            for method, details in methods.items():
                found |= complete(details, known[details["operationId"]], address, method.upper())
    add_examples(schema)
    schema["components"]["examples"] = {refusal.code: {"value": refusal.example()} for refusal in sorted(found)}
    schema["components"]["schemas"]["Problem"] = PROBLEM
    schema["components"]["securitySchemes"] = {"session": SESSION}
    return schema


def complete(details: dict[str, Any], operation: Operation, address: str, method: str) -> set[Refusal]:
    """Add refusals, headers and security to one operation; return the refusals."""
    function, found = operation.view_func, set(refusals(operation, address, method))
    answers = {str(status): answer for status, answer in details["responses"].items()}
    details["responses"] = answers | refusal_responses(found)
    if not getattr(function, "is_public", False):
        details["security"] = [{"session": []}]
    if getattr(function, "is_idempotent", False):
        details["parameters"].append(
            header("Idempotency-Key", "Repeats within 24 hours get the first answer again.", minLength=1, maxLength=255)
        )
        say_header(details, "Idempotent-Replayed", {"schema": {"type": "string", "enum": ["true"]}})
    if Stale in getattr(function, "refusals", ()):
        details["parameters"].append(header("If-Match", 'The `ETag` of the row, or `"<version>"`.', required=True))
    if getattr(function, "has_etag", False):
        say_header(details, "ETag", TAG)
        if method == "GET":
            details["parameters"].append(header("If-None-Match", "An `ETag` that the asker has already."))
            details["responses"]["304"] = {"description": "Not Modified"}
    return found


def refusals(operation: Operation, address: str, method: str) -> Iterator[Refusal]:
    """Yield what may be answered in place of the answer."""
    function, is_safe = operation.view_func, method in SAFE_METHODS
    codes = [*ANYWHERE]
    if not is_safe:
        codes += ["cross_site"] if operation.csrf_exempt else ["cross_site", "csrf_failed"]
    if not getattr(function, "is_public", False):
        codes.append("not_authenticated")
    if not BEFORE_CONSENT_API.fullmatch(re.sub(r"[{}]", "", address)):
        codes.append("consent_required")
    if "{" in address:
        codes.append("not_found")
    for code in codes:
        status, title, sentence = REFUSALS[code]
        yield Refusal(status, code, str(title), str(sentence), FACTS.get(code, {}))
    for refused in getattr(function, "refusals", ()):
        title = str(TITLES[refused.status])
        facts = FACTS.get(refused.code, refused.facts)
        yield Refusal(refused.status, refused.code, title, str(refused.sentence), facts)


def refusal_responses(found: Iterable[Refusal]) -> dict[str, Any]:
    """Return one response for each status, with an example of each code."""
    responses: dict[str, Any] = {}
    for refusal in sorted(found):
        response = responses.setdefault(
            str(refusal.status),
            {
                "description": refusal.title,
                "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        response["content"][PROBLEM_JSON]["examples"][refusal.code] = {"$ref": f"#/components/examples/{refusal.code}"}
    return responses


def header(name: str, description: str, *, required: bool = False, **bounds: int) -> dict[str, Any]:
    schema = {"type": "string", **bounds}
    return {"in": "header", "name": name, "required": required, "description": description, "schema": schema}


def add_examples(schema: OpenAPISchema) -> None:
    """Say what each request and each answer looks like."""
    for details in [details for methods in schema["paths"].values() for details in methods.values()]:
        for told in (details.get("requestBody", {}), *details["responses"].values()):
            if content := told.get("content", {}).get(JSON):
                content["example"] = sample(schema["components"]["schemas"], content["schema"])


def say_header(details: dict[str, Any], name: str, what: dict[str, Any]) -> None:
    """Name a header of the answers that are no refusals."""
    for status, response in details["responses"].items():
        if int(status) < 300:
            response.setdefault("headers", {})[name] = what
