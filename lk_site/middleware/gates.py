"""Who may come in at all: signed in, from our own pages, and with the consent given."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.middleware import has_bearer
from accounts.services import consents, evidence
from lk_site import addresses
from lk_site.errors import ScopeMissing
from lk_site.problems import CHALLENGE, KEY_CHALLENGE, domain_problem, is_api, problem, refusal

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
BEFORE_CONSENT_API = re.compile(r"/api/v1/(auth/.*|me|me/consents|me/sessions(/.*)?|openapi\.json|docs)")  # api.md
REFUSABLE = ("deal_id", "client_id")  # names in routes of what a refusal is evidence about
BEFORE_CONSENT_PAGES = frozenset(
    {
        "accounts:welcome",
        "accounts:consent_document",
        "accounts:logout",
        "accounts:session_list",
        "accounts:session_end",
        "accounts:session_end_others",
        "accounts:language_set",
        "accounts:theme_set",
    }
)


class Gate:
    """A middleware that looks at a request once its view is known, and may answer in its place."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)


class LoginRequired(Gate):
    """Every view is for people who are signed in, unless it says `login_not_required`. The admin guards itself."""

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if not getattr(view, "login_required", True) or is_admin(request):
            return None
        if request.actor.is_signed_in:  # type: ignore[attr-defined]
            return None
        if is_api(request):
            return key_refused(request) if has_bearer(request) else not_signed_in(request)
        login = redirect_to_login(page_of(request), resolve_url(settings.LOGIN_URL))
        return fragment_redirect(login.url) if is_fragment(request) else login


def not_signed_in(request: HttpRequest) -> HttpResponse:
    return refusal(request, "not_authenticated", headers={"WWW-Authenticate": CHALLENGE})


def key_refused(request: HttpRequest) -> HttpResponse:
    sentence = _("This key is mistyped, unknown, expired or ended.")
    return problem(request, "not_authenticated", detail=sentence, headers={"WWW-Authenticate": KEY_CHALLENGE})


class SameSite(Gate):
    """Nothing is changed for a page of another site, token or not. Django's CSRF check follows."""

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if request.method in SAFE_METHODS:
            return None
        is_foreign = request.headers.get("Sec-Fetch-Site") == "cross-site" or not is_our_origin(request)
        return refusal(request, "cross_site") if is_foreign else None


def is_our_origin(request: HttpRequest) -> bool:
    origin = request.headers.get("Origin")
    if origin is None or origin == f"{request.scheme}://{request.get_host()}":
        return True
    return origin in settings.CSRF_TRUSTED_ORIGINS or (is_api(request) and origin in settings.CORS_ALLOWED_ORIGINS)


def is_admin(request: HttpRequest) -> bool:
    return bool(request.resolver_match and "admin" in request.resolver_match.app_names)


def is_fragment(request: HttpRequest) -> bool:
    """Return whether htmx asks for a piece of a page: a redirect would put the login page into it."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"


def fragment_redirect(address: str) -> HttpResponse:
    return HttpResponse(status=401, headers={"HX-Redirect": address})


def page_of(request: HttpRequest) -> str:
    """Return the page to come back to after login: the one asked for, or the one a form or a fragment stands on."""
    if request.method in SAFE_METHODS and not is_fragment(request):
        return request.get_full_path()
    page = addresses.page_before(request)
    if page is None:
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    return f"{page.path}?{page.query}" if page.query else page.path


class KeyGate(Gate):
    """A program does what the scopes of its key say, from its own networks, and nothing that is for people only."""

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        actor: Actor = request.actor  # type: ignore[attr-defined]
        if actor.key is None or not hasattr(view, "scopes"):  # no operation: the document, its page, nothing at all
            return None
        if not actor.key.may_ask_from(actor.address):
            return refusal(request, "network_refused")
        scopes: dict[str, tuple[str, ...]] = view.scopes
        needed = scopes.get(request.method or "", ())
        if request.method in scopes and not needed:
            return refusal(request, "not_for_keys")
        missing = needed and actor.scopes.isdisjoint(needed)
        return domain_problem(request, ScopeMissing(needed)) if missing else None


class ConsentGate(Gate):
    """Who has not agreed to the text in force can do that, and leave, and nothing else."""

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        user = request.actor.user  # type: ignore[attr-defined]
        if user is None or is_admin(request) or is_before_consent(request, view):
            return None
        if not consents.is_blocked(user, request.method or ""):
            return None
        if is_api(request):
            return domain_problem(request, consents.ConsentRequired())
        welcome = reverse("accounts:welcome")
        return fragment_redirect(welcome) if is_fragment(request) else redirect(welcome)


def is_before_consent(request: HttpRequest, view: Any) -> bool:
    if is_api(request):
        return bool(BEFORE_CONSENT_API.fullmatch(request.path_info))
    is_public = not getattr(view, "login_required", True)
    return is_public or (
        request.resolver_match is not None and request.resolver_match.view_name in BEFORE_CONSENT_PAGES
    )


class RefusalRecord(Gate):
    """Leaves evidence of every object that a signed-in person asked for and was refused, when all is rolled back."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code in (403, 404) and request.resolver_match:
            self.record(request, request.resolver_match.kwargs)
        return response

    def record(self, request: HttpRequest, captured: dict[str, Any]) -> None:
        actor: Actor = request.actor  # type: ignore[attr-defined]
        if not actor.is_signed_in or is_admin(request):
            return
        for name, value in captured.items():
            if name in REFUSABLE:
                evidence.refused(actor, name.removesuffix("_id"), UUID(str(value)))
                return
