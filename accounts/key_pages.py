"""Keys of programs as pages write them: ready strings, which templates only place."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.actor import ActorRequest
from accounts.models import Action, ApiKey, Event, KeySecret, Scope
from accounts.services import agencies, keys
from lk_site.formats import days_text, exact_text, when_text
from lk_site.links import link

SOON = timedelta(days=30)
ICONS = {"deal": "handshake", "client": "user", "note": "message-square-text"}


def when(moment: datetime) -> str:
    """Write a moment for the reader."""
    return when_text(moment, timezone.now(), timezone.get_current_timezone(), get_language() or "ru")


def exactly(moment: datetime) -> str:
    return exact_text(moment, timezone.get_current_timezone(), get_language() or "ru")


def key_rows(found: Iterable[ApiKey]) -> list[dict[str, Any]]:
    """Return keys as rows of a list."""
    found = list(found)
    gone = keys.makers_who_left(found)
    return [key_row(key, gone) for key in found]


def key_row(key: ApiKey, gone: dict[UUID, str]) -> dict[str, Any]:
    is_live = key.is_live(timezone.now())
    return {
        "url": link("accounts:key_detail", key.pk),
        "name": key.name,
        "may": may_text(key),
        "used": _("used %s") % when(key.used_at) if key.used_at else _("never used"),
        "used_when": when(key.used_at) if key.used_at else _("never"),
        "used_from": key.used_from or "",
        "ends": ends_text(key),
        "is_live": is_live,
        "is_ending": is_live and is_ending(key),
        "gone_maker": gone.get(key.made_by_id, "") if key.made_by_id and is_live else "",
    }


def key_card(key: ApiKey) -> dict[str, Any]:
    """Return everything that the page of one key shows."""
    secrets = [secret for secret in key.secrets.all() if secret.is_live(timezone.now())]
    return {
        **key_row(key, keys.makers_who_left([key])),
        "id": key.pk,
        "scopes": [capfirst(str(Scope(scope).label)) for scope in key.scopes],
        "networks": key.networks,
        "secrets": [secret_line(secret) for secret in secrets] if key.is_live(timezone.now()) else [],
        "made": when(key.created_at),
        "is_ended_by_staff": keys.is_ended_by_staff(key),
    }


def secret_line(secret: KeySecret) -> dict[str, str]:
    return {"begins": secret.shown, "until": exactly(secret.ends_at) if secret.ends_at else ""}


def may_text(key: ApiKey) -> str:
    """Return in words what a key may do."""
    line = ", ".join(str(Scope(scope).label) for scope in key.scopes)
    return capfirst(line) if line else _("Nothing yet")


def is_ending(key: ApiKey) -> bool:
    return key.expires_at - timezone.now() < SOON


def ends_text(key: ApiKey) -> str:
    """Return when a key ends or ended; the days that are left, where they are few."""
    left = key.expires_at - timezone.now()
    if key.revoked_at:
        return _("revoked %s") % when(key.revoked_at)
    if left <= timedelta(0):
        return _("ended %s") % when(key.expires_at)
    if left < SOON:
        days = -(-left // timedelta(days=1))
        return _("ends in %s") % days_text(days, get_language() or "ru")
    return _("until %s") % when(key.expires_at)


def deed_rows(events: list[Event], request: ActorRequest) -> list[dict[str, Any]]:
    """Return what was done with a key, each deed with the way to the deal or client it was about, if that exists."""
    places = agencies.work.places(events, actor=request.actor)
    return [deed_row(event, places) for event in events]


def deed_row(event: Event, places: dict[UUID, tuple[str, str]]) -> dict[str, Any]:
    """Return one deed; `place` is the name and the address of what it was about."""
    about = (places[pk] for pk in (event.deal_id, event.client_id) if pk in places)
    return {
        "id": event.pk,
        "icon": ICONS.get(event.object_type, "key-round"),
        "title": capfirst(str(Action(event.action).label)),
        "place": next(about, None),
        "address": event.address or "",
        "when": when(event.at),
        "exactly": exactly(event.at),
    }
