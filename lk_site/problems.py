"""Refusals as RFC 9457 problem documents: `code` is for programs and never changes, the sentences are for people."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.utils import translation
from django.utils.encoding import escape_uri_path
from django.utils.translation import gettext_lazy as _

from lk_site.answers import to_json
from lk_site.errors import DomainError, FieldError

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

PROBLEM_JSON = "application/problem+json"
API_PREFIX = "/api/"
RETRY_AFTER_S = 5  # service is back within 10 s after a fault (security.md 8)
KEY_CHALLENGE = 'Bearer realm="LK", error="invalid_token"'  # RFC 6750
CHALLENGE = 'Session realm="LK"'  # WWW-Authenticate: a session cookie, which POST /auth/verify-code sets

# What the edge itself refuses: code -> status, title, sentence. Refusals of rules stand with their rules.
REFUSALS: dict[str, tuple[int, "_StrOrPromise", "_StrOrPromise"]] = {
    "bad_request": (400, _("Bad request"), _("The request cannot be read.")),
    "not_json": (400, _("Not JSON"), _("The body is not JSON in UTF-8.")),
    "not_authenticated": (401, _("Not signed in"), _("Log in first.")),
    "csrf_failed": (403, _("Not from our page"), _("The CSRF token is missing or old. Fetch a new one and repeat.")),
    "cross_site": (403, _("Not from our page"), _("This request came from another site and was not carried out.")),
    "network_refused": (403, _("Not from here"), _("This key may not be used from your network.")),
    "scope_missing": (403, _("Scope missing"), _("The key has no scope for this.")),
    "not_for_keys": (403, _("For people only"), _("A key may not do this. Sign in as a person.")),
    "consent_required": (403, _("Consent needed"), _("Read and accept the document first.")),
    "not_found": (404, _("Not found"), _("There is nothing here that you may see.")),
    "method_not_allowed": (405, _("Method not allowed"), _("This address does not know this method.")),
    "length_required": (411, _("Length required"), _("Send the length of the body in Content-Length.")),
    "too_large": (413, _("Too large"), _("The body is larger than is accepted here.")),
    "not_json_type": (415, _("Not JSON"), _("Send the body as application/json in UTF-8.")),
    "invalid": (422, _("Does not fit"), _("Some fields need a change.")),
    "too_often": (429, _("Too often"), _("Too many requests. Wait and try again.")),
    "server_error": (500, _("Our fault"), _("Something broke on our side. Nothing was saved. Try again.")),
    "unavailable": (503, _("Not available now"), _("We are back in a moment. Nothing was saved. Try again.")),
}
TITLES: dict[int, "_StrOrPromise"] = {  # of the refusals of rules
    400: _("Refused"),
    403: _("Not allowed"),
    404: _("Not found"),
    409: _("In the way"),
    410: _("No longer kept"),
    412: _("Changed meanwhile"),
    422: _("Does not fit"),
    424: _("Something else failed"),
    428: _("Version needed"),
    429: _("Too often"),
}
OF_STATUS = {  # a bare answer of Django or ninja -> code; under /api/ a bare 403 is Django's CSRF check
    **{status: code for code, (status, _title, _sentence) in reversed(REFUSALS.items())},
    400: "bad_request",
    403: "csrf_failed",
}


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def language_of(request: HttpRequest) -> str:
    """Return the language the request asks for, also where no middleware has chosen one yet."""
    chosen: str | None = getattr(request, "LANGUAGE_CODE", None)
    return chosen or translation.get_language_from_request(request)


def problem(
    request: HttpRequest,
    code: str,
    *,
    status: int | None = None,
    detail: "_StrOrPromise | None" = None,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> HttpResponse:
    """Return the problem document of a refusal; `extra` are its own members."""
    with translation.override(language_of(request)):
        own = {"instance": escape_uri_path(request.path), "request_id": getattr(request, "id", "")}
        document = members(code, status, detail, errors) | own
        status = document["status"]
        body = to_json(extra | document)
        headers = {"Content-Language": translation.get_language() or "", **(headers or {})}
    return HttpResponse(body, status=status, content_type=PROBLEM_JSON, headers=headers)


def members(
    code: str,
    status: int | None,
    detail: "_StrOrPromise | None",
    errors: Iterable[FieldError],
    within: str = "",
) -> dict[str, Any]:
    """Return what a refusal says, whatever it is the refusal of; pointers go on from `within`."""
    own_status, title, sentence = REFUSALS.get(code) or (status or 400, TITLES.get(status or 400, ""), "")
    return {
        "type": f"/api/v1/docs#{code}",
        "title": title or HTTPStatus(status or own_status).phrase,
        "status": status or own_status,
        "detail": sentence if detail is None else detail,
        "code": code,
        "errors": [{"pointer": within + e.pointer, "code": e.code, "message": e.message} for e in errors],
    }


def item_problem(refused: DomainError, within: str) -> dict[str, Any]:
    """Return the problem document of one item of a request, in the language in force; `within` points at the item."""
    return refused.extra | members(refused.code, refused.status, refused.detail, refused.errors, within)


def domain_problem(request: HttpRequest, refused: DomainError) -> HttpResponse:
    """Return the problem document of a rule's refusal."""
    wait: int | None = getattr(refused, "retry_after", None)
    headers = {"Retry-After": str(wait)} if wait is not None else None
    return problem(
        request,
        refused.code,
        status=refused.status,
        detail=refused.detail,
        errors=refused.errors,
        headers=headers,
        **refused.extra,
    )


def refusal(request: HttpRequest, code: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return a refusal of the edge in the form its asker reads: a problem document, or a page."""
    if is_api(request):
        return problem(request, code, headers=headers)
    status, _title, sentence = REFUSALS[code]
    with translation.override(language_of(request)):
        response = error_page(request, status, str(sentence))
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def error_page(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    """Render the page of that status; say the sentence in plain text where there is none."""
    try:
        return render(request, f"{status}.html", {"reason": sentence}, status=status)
    except TemplateDoesNotExist:
        return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
