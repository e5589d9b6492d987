"""The outermost middleware: nothing reaches a person or the log but through here."""

import logging
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.services import processes
from lk_site import addresses, metrics, tracing
from lk_site.middleware.headers import add_headers
from lk_site.middleware.throttle import UNCOUNTED, add_limit_headers
from lk_site.problems import CHALLENGE, OF_STATUS, PROBLEM_JSON, RETRY_AFTER_S, is_api, problem, refusal
from lk_site.strict_json import is_json, is_utf_8

log = logging.getLogger("lk.request")

NO_DATABASE = (OperationalError, InterfaceError)
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate", "RateLimit", "RateLimit-Policy")


class Edge:
    """Request id, client address, sizes and types of bodies, problem documents, headers and one log line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        got_request_exception.connect(note_failure, dispatch_uid="lk_site.edge")
        metrics.count_as("web")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        introduce(request)
        metrics.IN_FLIGHT.add()
        try:
            response = tracing.request_span(request, self.answer)
        finally:
            metrics.IN_FLIGHT.add(by=-1)
        seconds = time.perf_counter() - started
        write_line(request, response, seconds)
        metrics.request_answered(request, response, seconds)
        return response

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        """Return what goes out, whatever came of the request further in."""
        response = self.get_response(request) if processes.may_serve() else unavailable(request, "no_key")
        if response.status_code == 500 and isinstance(getattr(request, "failure", None), NO_DATABASE):
            response = unavailable(request, "no_database")
        if is_api(request):
            response = as_problem(request, response)
            add_limit_headers(request, response)
        add_headers(request, response)
        response.headers["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        """Refuse a body by its size and type before anybody reads it: 411, 413 and 415 come first of all refusals.

        Raises DisallowedHost, so 400, before anybody builds an address of a host that is not ours.
        """
        if request.path_info not in UNCOUNTED:
            request.get_host()
        code = unfit_body(request)
        return refusal(request, code) if code else None


def unavailable(request: HttpRequest, why: str) -> HttpResponseBase:
    metrics.UNAVAILABLE.add(why)
    return refusal(request, "unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


def introduce(request: HttpRequest) -> None:
    """Give the request its id and what is believed of where it comes from."""
    request.id = secrets.token_hex(8)  # type: ignore[attr-defined]
    request.client_address = addresses.client_address(request)  # type: ignore[attr-defined]
    request.META["wsgi.url_scheme"] = "https" if addresses.is_secure(request) else "http"


def unfit_body(request: HttpRequest) -> str:
    """Return the code of what is wrong with the announced body, or nothing."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if "HTTP_TRANSFER_ENCODING" in request.META and not length:
        return "length_required"  # Django would take it for empty
    if length and not (length.isascii() and length.isdecimal()):
        return "bad_request"
    in_json, length = is_api(request), length.lstrip("0")
    at_most: int = settings.JSON_BYTES_AT_MOST if in_json else settings.FORM_BYTES_AT_MOST
    if length and (len(length) > len(str(at_most)) or int(length) > at_most):
        return "too_large"
    if length and not (is_json(request) if in_json else is_utf_8(request)):
        return "not_json_type" if in_json else "bad_request"
    return ""


def note_failure(request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Remember what Django is about to answer with 500, whichever layer it came from."""
    if request is not None:
        request.failure = sys.exc_info()[1]  # type: ignore[attr-defined]


def as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Return a problem document in place of Django's or ninja's own page or text about an error."""
    if response.status_code < 400 or response.headers.get("Content-Type", "").startswith(PROBLEM_JSON):
        return response
    code = OF_STATUS.get(response.status_code, "server_error" if response.status_code >= 500 else "bad_request")
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    if code == "not_authenticated":
        headers.setdefault("WWW-Authenticate", CHALLENGE)
    answer = problem(request, code, headers=headers)
    answer.cookies = response.cookies
    return answer


def write_line(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    """Log the request by its route, never its path or query: people put phones into both."""
    match, actor = request.resolver_match, getattr(request, "actor", None)
    log.info(
        "request",
        extra={
            "request_id": request.id,  # type: ignore[attr-defined]
            "method": request.method,
            "route": match.route if match else "",
            "status": response.status_code,
            "ms": round(seconds * 1000, 2),
            "actor": str(actor.id) if actor and actor.id else "",
        },
    )
