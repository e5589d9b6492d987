"""Webhooks as pages write them: ready strings, which templates only place."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.key_pages import exactly, when
from accounts.models import Action, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookOff, WebhookState
from accounts.webhook_wire import Trouble
from lk_site.links import link

TROUBLES = {
    Trouble.NAME_UNKNOWN: gettext_lazy("the name of the host is unknown"),
    Trouble.ADDRESS_REFUSED: gettext_lazy("the address is not reachable from the internet"),
    Trouble.NOT_REACHED: gettext_lazy("no connection"),
    Trouble.TLS_FAILED: gettext_lazy("the certificate does not fit"),
    Trouble.TIMED_OUT: gettext_lazy("no answer in 15 seconds"),
    Trouble.NOT_HTTP: gettext_lazy("the answer was not HTTP"),
    Trouble.UNREADABLE: gettext_lazy("LK cannot read the address or the secret"),
}
ICONS = {WebhookState.WAITING: "clock", WebhookState.DONE: "circle-check", WebhookState.FAILED: "circle-x"}
WARNINGS = {
    WebhookOff.FAILING: gettext_lazy(
        "LK has switched “%(name)s” off: for three days every try of a delivery failed. Repair the receiver, send a "
        "test event and switch it on. What has not arrived is sent then, back to 30 days."
    ),
    WebhookOff.GONE: gettext_lazy(
        "LK has switched “%(name)s” off: the receiver answered 410, it wants no more. If that was a mistake, switch "
        "it on. What has not arrived is sent then, back to 30 days."
    ),
}


def webhook_rows(found: Iterable[WebhookEndpoint]) -> list[dict[str, Any]]:
    """Return webhooks as rows of a list."""
    return [webhook_row(endpoint) for endpoint in found]


def webhook_row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "url": link("accounts:webhook_detail", endpoint.pk),
        "name": name_of(endpoint),
        "host": host_of(endpoint),
        "events": events_text(endpoint),
        "state": state_text(endpoint),
        "is_warned": endpoint.is_failing or not endpoint.is_on,
    }


def webhook_card(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return everything that the page of one webhook shows, but its deliveries."""
    until = endpoint.previous_until
    return {
        **webhook_row(endpoint),
        "id": endpoint.pk,
        "version": endpoint.version,
        "address": endpoint.url,
        "types": [capfirst(str(Action(name).label)) for name in endpoint.types],
        "is_on": endpoint.is_on,
        "warning": warning_of(endpoint),
        "older_until": exactly(until) if until and until > timezone.now() else "",
        "made": when(endpoint.created_at),
    }


def warning_of(endpoint: WebhookEndpoint) -> str:
    """Return what a head must know of an endpoint that LK has switched off."""
    sentence = WARNINGS.get(WebhookOff(endpoint.off_why)) if endpoint.off_why else None
    return str(sentence) % {"name": name_of(endpoint)} if sentence else ""


def name_of(endpoint: WebhookEndpoint) -> str:
    return endpoint.description or host_of(endpoint)


def host_of(endpoint: WebhookEndpoint) -> str:
    """Return where an address leads, in the letters of its reader, without the rest of it."""
    host = urlsplit(endpoint.url).hostname or endpoint.url
    try:
        return host.encode().decode("idna")
    except UnicodeError:
        return host


def events_text(endpoint: WebhookEndpoint) -> str:
    count = len(endpoint.types)
    return ngettext("%d kind of event", "%d kinds of events", count) % count if count else _("all events")


def state_text(endpoint: WebhookEndpoint) -> str:
    if endpoint.switched_off_at:
        return _("off since %s") % when(endpoint.switched_off_at)
    if endpoint.failing_since:
        return _("failing since %s") % when(endpoint.failing_since)
    return _("on")


def delivery_row(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "url": link("accounts:webhook_delivery", delivery.endpoint_id, delivery.pk),
        "icon": ICONS[WebhookState(delivery.state)],
        "title": type_text(delivery.type),
        "state": delivery_text(delivery),
        "when": when(delivery.created_at),
        "exactly": exactly(delivery.created_at),
    }


def delivery_card(delivery: WebhookDelivery, tries: list[WebhookAttempt]) -> dict[str, Any]:
    """Return everything that the page of one delivery shows."""
    return {
        **delivery_row(delivery),
        "id": delivery.pk,
        "code_name": delivery.type,
        "message_id": delivery.message_id,
        "payload": json.dumps(json.loads(delivery.payload), ensure_ascii=False, indent=2),
        "next": exactly(delivery.due_at) if delivery.state == WebhookState.WAITING else "",
        "is_waiting": delivery.state == WebhookState.WAITING,
        "tries": [try_line(one) for one in tries],
    }


def try_line(one: WebhookAttempt) -> dict[str, Any]:
    has_arrived = one.code is not None and 200 <= one.code < 300
    return {
        "icon": ICONS[WebhookState.DONE if has_arrived else WebhookState.FAILED],
        "said": answer_text(one.code, one.error),
        "latency": _("%d ms") % one.latency_ms,
        "body": one.body,
        "when": when(one.at),
        "exactly": exactly(one.at),
    }


def type_text(name: str) -> str:
    """Return an event in words."""
    return capfirst(str(Action(name).label)) if name in Action else _("Test event")


def delivery_text(delivery: WebhookDelivery) -> str:
    """Return what has become of a delivery, with the last answer and how long it took."""
    parts = [str(WebhookState(delivery.state).label)]
    if delivery.last_latency_ms is not None:
        parts += [answer_text(delivery.last_code, delivery.last_error), _("%d ms") % delivery.last_latency_ms]
    return " · ".join(parts)


def answer_text(code: int | None, error: str) -> str:
    return str(code) if code is not None else str(TROUBLES[Trouble(error)])
