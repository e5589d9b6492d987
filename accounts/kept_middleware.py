"""What was typed is not lost: a form that met an ended session, an old CSRF token, or a rule that wants a fresh code
first, comes back filled and not sent.
"""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from accounts import cookies
from accounts.actor import ActorRequest
from accounts.services import kept_forms
from accounts.services.kept_forms import Values
from accounts.services.session_store import SessionStore
from lk_site import addresses
from lk_site.flashes import flash

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
ASKS_TO_LOG_IN = (302, 401)  # the second to a fragment; a body refused by size or type is no form
NOT_TYPED = ("csrfmiddlewaretoken",)


class KeptFormMiddleware:
    """Keeps a form for the person of the ended session, gives it back on its page, and forgets it once it is sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: ActorRequest) -> HttpResponseBase:
        token = request.COOKIES.get(settings.KEPT_COOKIE_NAME, "")
        request.kept_forms = {}
        if token and request.method == "GET" and request.actor.user_id:
            request.kept_forms = kept_forms.find(token, user_id=request.actor.user_id, page=request.path)
        response = self.get_response(request)
        if request.method == "POST":
            after_post(request, response, token)
        return response


def after_post(request: ActorRequest, response: HttpResponseBase, token: str) -> None:
    """Keep what nobody could send, and forget what was sent, or what another person had lost here."""
    if request.kept_forms:  # kept by this very request
        return
    user_id = request.actor.user_id
    row = cast(SessionStore, request.session).row
    now_in = row.user_id if row else None
    if user_id is None and now_in is None:
        keep_lost(request, response, token)
    elif token and user_id == now_in and user_id and response.status_code < 400:
        kept_forms.forget(token, user_id=user_id, path=request.path)
    elif token and now_in:
        kept_forms.forget_others(token, now_in)


def keep_lost(request: ActorRequest, response: HttpResponseBase, token: str) -> None:
    """Keep the form if it was meant for a page of a person whose session has ended, and he is asked to log in."""
    former = cast(SessionStore, request.session).former_user_id
    if (
        former is None
        or response.status_code not in ASKS_TO_LOG_IN
        or not is_for_a_person(request)
        or not is_from_our_page(request)
    ):
        return
    values = typed_values(request)
    if not values:
        return
    kept = kept_forms.keep(values, user_id=former, token=token, path=request.path, page=page_of_form(request))
    if kept:
        cookies.put(response, settings.KEPT_COOKIE_NAME, kept, settings.KEPT_FORM_LIFE)


def keep_unsent(request: ActorRequest, response: HttpResponseBase) -> None:
    """Keep the form of a person who must do something else first; its page will show it filled, and not sent."""
    user_id, values = request.actor.user_id, typed_values(request)
    if user_id is None or not values:
        return
    token, page = request.COOKIES.get(settings.KEPT_COOKIE_NAME, ""), page_of_form(request)
    if kept := kept_forms.keep(values, user_id=user_id, token=token, path=request.path, page=page):
        request.kept_forms = {request.path: values}
        cookies.put(response, settings.KEPT_COOKIE_NAME, kept, settings.KEPT_FORM_LIFE)


def is_for_a_person(request: HttpRequest) -> bool:
    """Return whether the view is a page for who is signed in: never login and code, never the API or the admin."""
    match = request.resolver_match
    if match is None or request.path_info.startswith(("/api/", "/admin/")):
        return False
    return bool(getattr(match.func, "login_required", True))


def is_from_our_page(request: HttpRequest) -> bool:
    """Return whether the browser says that the form stood on a page of ours."""
    origin = request.headers.get("Origin")
    ours = f"{request.scheme}://{request.get_host()}"
    return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin" and origin in (None, ours)


def typed_values(request: HttpRequest) -> Values:
    """Return what was typed, or nothing for a body that is no form, is broken, or carries files."""
    if request.content_type not in FORM_TYPES:
        return {}
    try:
        values, files = request.POST, request.FILES
    except (BadRequest, MultiPartParserError, SuspiciousOperation):
        return {}
    return {} if files else {name: values.getlist(name) for name in values if name not in NOT_TYPED}


def page_of_form(request: HttpRequest) -> str:
    """Return the path of the page that the form stood on: the one it was posted to, where the browser does not tell."""
    page = addresses.page_before(request)
    return page.path if page else request.path


def kept_initial(request: HttpRequest, action: str = "") -> dict[str, Any]:
    """Return what a person typed into a form that could not be sent, as the form's initial values; mostly nothing.

    `action` is where the form posts to, if that is not the page itself. Says on the page that the text is back.
    """
    kept: dict[str, Values] = getattr(request, "kept_forms", {})
    values = kept.get(action or request.path)
    if values is None:
        return {}
    flash(request, _("What you typed is back. It was not sent: check it and send it."))
    return {name: items[0] if len(items) == 1 else items for name, items in values.items() if items}
