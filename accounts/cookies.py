"""Cookies of ours, all set here: `__Host-` prefixed, Secure, HttpOnly, SameSite=Lax (plain in local mode)."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import rotate_token

from accounts.actor import ActorRequest
from accounts.models import UserKind
from accounts.services import sessions
from accounts.services.entry import LoggedIn
from accounts.services.session_store import SessionStore

CHALLENGE_LIFE = timedelta(hours=1)  # longer than the longest wait for another code
CLEAR_SITE_DATA = '"cache", "storage"'  # never cookies: the device stays known
DEVICE_LIFE = timedelta(days=400)  # browsers keep no cookie longer


def session_cookie(kind: str) -> str:
    """Return the name of the cookie of agents, or that of the admin."""
    name: str = settings.ADMIN_COOKIE_NAME if kind == UserKind.STAFF else settings.SESSION_COOKIE_NAME
    return name


def set_session(response: HttpResponseBase, cookie: str, session: SessionStore) -> None:
    """Hand a new session to the browser: on the person's own device to keep, else until the browser closes."""
    assert session.row is not None
    put(response, cookie, session.session_key or "", session.row.lives_for if session.row.is_own_device else None)


def set_challenge(response: HttpResponseBase, token: str) -> None:
    put(response, settings.CHALLENGE_COOKIE_NAME, token, CHALLENGE_LIFE)


def challenge_of(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.CHALLENGE_COOKIE_NAME, "")


def device_of(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")


def let_in(request: ActorRequest, response: HttpResponseBase, logged_in: LoggedIn) -> None:
    """Go on in the session just opened: a new id, a new CSRF token, and a browser that is known from now on."""
    if request.actor.is_signed_in:  # who logs in again in this browser leaves the session he had
        sessions.log_out(actor=request.actor)
    request.session = SessionStore.of(logged_in.session_key, logged_in.session)
    rotate_token(request)
    put(response, settings.DEVICE_COOKIE_NAME, logged_in.device_cookie, DEVICE_LIFE)
    drop(response, settings.CHALLENGE_COOKIE_NAME)


def confirmed(request: ActorRequest, opened: sessions.OpenSession, response: HttpResponseBase) -> None:
    """Go on in the same session under its new id."""
    request.session = SessionStore.of(opened.key, opened.row)
    drop(response, settings.CHALLENGE_COOKIE_NAME)


def let_out(request: ActorRequest, response: HttpResponseBase) -> None:
    """Log out: the session's row is deleted, its cookie with the answer, and what the browser has kept of our pages."""
    sessions.log_out(actor=request.actor)
    request.session.flush()
    rotate_token(request)
    response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA


def set_language(response: HttpResponseBase, language: str) -> None:
    """Let pages before the login speak this language too; an empty one leaves it to the browser."""
    if language:
        put(response, settings.LANGUAGE_COOKIE_NAME, language, DEVICE_LIFE)
    else:
        drop(response, settings.LANGUAGE_COOKIE_NAME)


def put(response: HttpResponseBase, name: str, value: str, life: timedelta | None) -> None:
    response.set_cookie(
        name, value, max_age=life, path="/", secure=settings.COOKIE_SECURE, httponly=True, samesite="Lax"
    )


def drop(response: HttpResponseBase, name: str) -> None:
    response.delete_cookie(name, path="/", samesite="Lax")
