"""The audit as the page and the table write it: ready strings, which templates only place."""

from typing import Any
from urllib.parse import urlencode

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.actor import Actor, ActorKind
from accounts.key_pages import exactly, when
from accounts.models import Action, Event
from accounts.services import agencies
from accounts.services.audit import Names, Who
from lk_site.links import link

ICONS = {
    "deal": "handshake",
    "client": "user",
    "note": "message-square-text",
    "user": "users",
    "apikey": "key-round",
    "webhookendpoint": "send",
    "session": "monitor-smartphone",
    "pipeline": "settings",
}
ICONS_OF: dict[str, str] = {
    Action.CLIENT_LOOKED_AT: "eye",
    Action.CLIENT_REVEALED: "eye",
    Action.CLIENT_SEARCHED: "search",
    Action.PERSON_REVEALED: "eye",
    Action.ACCESS_REFUSED: "circle-x",
    Action.LOGIN_FAILED: "circle-alert",
    Action.ALARM_RAISED: "triangle-alert",
    Action.ALARM_SEEN: "eye",
    Action.EXPORT_MADE: "file-text",
}
NAMELESS = {
    ActorKind.AGENT: gettext_lazy("someone who has left"),
    ActorKind.KEY: gettext_lazy("a key"),
    ActorKind.STAFF: gettext_lazy("staff of the platform"),
    ActorKind.SYSTEM: gettext_lazy("LK itself"),
    ActorKind.NOBODY: gettext_lazy("someone not logged in"),
}


def what_text(event: Event) -> str:
    """Return what was done, as a line that begins with a capital; its code where only a newer release has words."""
    return capfirst(str(Action(event.action).label if event.action in Action else event.action))


def who_text(who: Who) -> str:
    if who.name:
        return _("key “%s”") % who.name if who.kind == ActorKind.KEY else who.name
    return str(NAMELESS[who.kind])


def address_of(event: Event) -> str:
    """Return where it came from; not for staff: it is the platform's own."""
    return "" if event.actor_kind == ActorKind.STAFF else event.address or ""


def alarm_rows(alarms: list[Event], names: Names) -> list[dict[str, Any]]:
    """Return alarms as the head reads them, the newest first."""
    return [alarm_row(alarm, names) for alarm in alarms]


def alarm_row(alarm: Event, names: Names) -> dict[str, Any]:
    kind = ActorKind.KEY if alarm.object_type == "apikey" else ActorKind.AGENT
    numbers, norm = int(alarm.data["numbers"]), int(alarm.data["norm"])
    told = ngettext(
        "%(count)s number in 24 hours, against a norm of %(norm)s.",
        "%(count)s numbers in 24 hours, against a norm of %(norm)s.",
        numbers,
    )
    return {
        "id": alarm.pk,
        "who": capfirst(who_text(Who(kind, alarm.object_id, names.of_object(alarm)))),
        "whose_looks": f"{link('accounts:audit_list')}?{urlencode({'who': alarm.object_id})}",
        "told": told % {"count": numbers, "norm": norm},
        "when": when(alarm.at),
    }


def audit_rows(events: list[Event], names: Names, actor: Actor) -> list[dict[str, Any]]:
    """Return events as entries of the page, each with the way to the deal or client that it was about."""
    places = agencies.work.places(events, actor=actor)
    return [audit_row(event, names, places) for event in events]


def audit_row(event: Event, names: Names, places: dict[Any, tuple[str, str]]) -> dict[str, Any]:
    """Return one entry; `place` is name and address of what it was about, `about` the id to see that alone."""
    about = next((pk for pk in (event.deal_id, event.client_id) if pk in places), None)
    return {
        "id": event.pk,
        "icon": ICONS_OF.get(event.action) or ICONS.get(event.object_type, "history"),
        "title": what_text(event),
        "name": "" if event.object_id == event.actor_id else names.of_object(event),
        "place": places[about] if about else None,
        "about": about,
        "who": capfirst(who_text(names.who(event))),
        "address": address_of(event),
        "when": when(event.at),
        "exactly": exactly(event.at),
    }
