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
from lk_site.errors import ScopeMissing, Stale
from lk_site.middleware.gates import BEFORE_CONSENT_API, SAFE_METHODS
from lk_site.openapi_parts import EVENT, EVERYWHERE, HEADERS, KEY, OF_REFUSALS, PROBLEM, QUEUED, SENT, SESSION, TAG
from lk_site.problems import PROBLEM_JSON, REFUSALS, TITLES

FACTS: dict[str, dict[str, Any]] = {
    "scope_missing": ScopeMissing.facts,
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
    if "add_webhook" in known:
        schema["webhooks"] = {"event": {"post": sent_event()}}
        schema["components"]["schemas"]["WebhookEvent"] = EVENT
    add_examples(schema)
    schema["components"]["examples"] = {refusal.code: {"value": refusal.example()} for refusal in sorted(found)}
    schema["components"]["schemas"]["Problem"] = PROBLEM
    schema["components"]["securitySchemes"] = {"session": SESSION, "key": KEY}
    schema["components"]["headers"] = {
        name: {"required": True, "schema": {"type": "string"}, **what} for name, what in HEADERS.items()
    }
    return schema


def sent_event() -> dict[str, Any]:
    """Return the operation that LK calls at a receiver of webhooks."""
    named = {
        "webhook-id": "Of the event: the same over tries and replays.",
        "webhook-timestamp": "Of this try, in seconds since 1970.",
        "webhook-signature": "`v1,<base64>`, one for each secret that holds.",
    }
    return {
        "operationId": "receive_event",
        "summary": "Something happened",
        "description": SENT,
        "tags": ["webhooks"],
        "parameters": [header(name, about, required=True) for name, about in named.items()],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"$ref": "#/components/schemas/WebhookEvent"}, "example": EVENT["examples"][0]}
            },
        },
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Send nothing any more: the webhook is switched off."},
        },
    }


def complete(details: dict[str, Any], operation: Operation, address: str, method: str) -> set[Refusal]:
    """Add refusals, headers and security to one operation; return the refusals."""
    function, found = operation.view_func, set(refusals(operation, address, method))
    answers = {str(status): answer for status, answer in details["responses"].items()}
    details["responses"] = answers | refusal_responses(found)
    mend_parameters(details)
    say_who(details, function)
    if getattr(function, "is_idempotent", False):
        details["parameters"].append(
            header("Idempotency-Key", "Repeats within 24 hours get the first answer again.", minLength=1, maxLength=255)
        )
        say_header(details, "Idempotent-Replayed", {"schema": {"type": "string", "enum": ["true"]}})
    if getattr(function, "can_be_queued", False):
        details["parameters"].append(header("Prefer", "`respond-async`: answer 202 at once, and do it later."))
        details["responses"]["202"]["headers"] = {**QUEUED}
    if Stale in getattr(function, "refusals", ()):
        details["parameters"].append(header("If-Match", 'The `ETag` of the row, or `"<version>"`.', required=True))
    if getattr(function, "has_etag", False):
        say_header(details, "ETag", TAG)
        if method == "GET":
            details["parameters"].append(header("If-None-Match", "An `ETag` that the asker has already."))
            details["responses"]["304"] = {"description": "Not Modified"}
    say_headers(details, operation)
    return found


def say_who(details: dict[str, Any], function: Any) -> None:
    """Say who may call an operation: anybody, people, or programs too, with any one of these scopes."""
    scopes = [str(scope) for scope in getattr(function, "scopes", ())]
    if getattr(function, "is_public", False):
        who = "For anybody."
    elif scopes:
        details["x-scopes"] = scopes
        who = f"A key needs {' or '.join(f'`{scope}`' for scope in scopes)}."
    else:
        who = "For people only: a key is refused."
    if not getattr(function, "is_public", False):
        details["security"] = [{"session": []}, *({"key": [scope]} for scope in scopes)]
    details["description"] = "\n\n".join(said for said in (details.get("description"), who) if said)


def say_headers(details: dict[str, Any], operation: Operation) -> None:
    """Name the headers that answers and refusals carry."""
    is_paged = any(parameter["name"] == "cursor" for parameter in details["parameters"])
    for status, response in details["responses"].items():
        names = [*EVERYWHERE, *([OF_REFUSALS[status]] if status in OF_REFUSALS else [])]
        names += ["Link"] if is_paged and status == "200" else []
        names += ["Location"] if status == "201" and operation.signature.response_arg else []  # it sets the header
        response.setdefault("headers", {}).update({name: {"$ref": f"#/components/headers/{name}"} for name in names})


def mend_parameters(details: dict[str, Any]) -> None:
    """Make of parameters what they mean in OpenAPI.

    Ninja copies the examples of a schema to its parameter, where OpenAPI has one `example`, or a map. And an empty text
    is no default: made clients would send it, and every list would be a search.
    """
    for parameter in details["parameters"]:
        if isinstance(parameter.get("examples"), list):
            parameter["example"] = parameter.pop("examples")[0]
        if parameter["schema"].get("default") == "":
            parameter["schema"] = {name: value for name, value in parameter["schema"].items() if name != "default"}


def refusals(operation: Operation, address: str, method: str) -> Iterator[Refusal]:
    """Yield what may be answered in place of the answer."""
    function, is_safe = operation.view_func, method in SAFE_METHODS
    codes = [*ANYWHERE]
    if not is_safe:
        codes += ["cross_site"] if operation.csrf_exempt else ["cross_site", "csrf_failed"]
    if not getattr(function, "is_public", False):
        codes.append("not_authenticated")
    codes += ["network_refused", "scope_missing" if getattr(function, "scopes", ()) else "not_for_keys"]
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
