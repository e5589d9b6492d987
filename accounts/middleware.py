"""Who asks: the session of the cookie, the actor it makes of the request, and the language and time of that person."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from accounts import cookies
from accounts.actor import Actor, ActorRequest, acting
from accounts.models import UserKind
from accounts.services import keys
from accounts.services.session_store import SessionStore

ADMIN = "/admin/"
API = "/api/"
BEARER = "bearer "
GetResponse = Callable[[Any], HttpResponseBase]


class Layer:
    """A middleware that stands around the view."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response


class SessionMiddleware(Layer):
    """Gives the request the session of its cookie: the admin's under /admin/, the agents' everywhere else."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        kind = UserKind.STAFF if request.path_info.startswith(ADMIN) else UserKind.AGENT
        cookie = cookies.session_cookie(kind)
        sent = None if has_bearer(request) else request.COOKIES.get(cookie)
        request.session = SessionStore(sent, kind)
        response = self.get_response(request)
        keep(request.session, response, cookie, sent)
        return response


def has_bearer(request: HttpRequest) -> bool:
    """Return whether a key asks: then cookies are ignored."""
    return request.path_info.startswith(API) and request.headers.get("Authorization", "").lower().startswith(BEARER)


def keep(session: SessionStore, response: HttpResponseBase, cookie: str, sent: str | None) -> None:
    """Store what changed in the session, and let the browser know of a new or a left one."""
    if session.modified and response.status_code < 500:
        session.save()
    if session.row is not None and session.session_key != sent:
        cookies.set_session(response, cookie, session)
    elif session.row is None and session.is_left:
        cookies.drop(response, cookie)


class ActorMiddleware(Layer):
    """Names who asks, for views and services, and shows times in that person's zone."""

    def __call__(self, request: ActorRequest) -> HttpResponseBase:
        session = cast(SessionStore, request.session)
        user = session.user
        if user is None or session.row is None:
            request.user = AnonymousUser()
            request.actor = asker_without_session(request)
        else:
            request.user = user
            request.actor = Actor.of(
                user, address=request.client_address, request_id=request.id, session_id=session.row.pk
            )
        with acting(request.actor), timezone.override(zone_of(user.time_zone) if user else None):
            return self.get_response(request)


def asker_without_session(request: ActorRequest) -> Actor:
    """Return the program whose key came with the request, or nobody."""
    whence: dict[str, Any] = {"address": request.client_address, "request_id": request.id}
    key = keys.key_of_token(request.headers["Authorization"][len(BEARER) :].strip()) if has_bearer(request) else None
    if key is None:
        return Actor.nobody(**whence)
    actor = Actor.of_key(key, **whence)
    keys.note_use(actor)
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # no browser adds a key by itself
    return actor


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name; the default one where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(settings.TIME_ZONE)


class LanguageMiddleware(Layer):
    """Speaks the person's language, else that of the language cookie, else what the browser asks for, else Russian."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = cast(SessionStore, request.session).user
        language = user.language if user and user.language else translation.get_language_from_request(request)
        request.LANGUAGE_CODE = language
        with translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        if not request.path_info.startswith(API):  # there the edge says what the answer depends on
            patch_vary_headers(response, ("Cookie", "Accept-Language"))
        return response
