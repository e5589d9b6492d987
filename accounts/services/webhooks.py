"""Endpoints of webhooks: added, edited, switched on and off, given a new secret, asked to prove themselves, removed.

Only the head, or a program whose key has the scope, manages them; for others there are none.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import (
    FEED_ACTIONS,
    TEST_TYPE,
    Action,
    Agency,
    AgencyHead,
    Event,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookOff,
    WebhookState,
)
from accounts.models.base import new_id
from accounts.models.webhooks import WebhookDeliveryQuerySet
from accounts.services import webhook_delivery
from accounts.services.unit_of_work import record, unit_of_work
from accounts.webhook_wire import clean_url, new_secret
from lk_site.cursors import Keyset
from lk_site.errors import Clash, DomainError, Invalid, InvalidValue, NotAllowed
from lk_site.schemas import utc_text
from lk_site.text import clean_line

ENDPOINTS_AT_MOST = 10  # of an agency: each event is written and sent once for each of them
DESCRIPTION_AT_MOST = 200
SECRET_OVERLAP = timedelta(hours=24)  # the old secret signs beside the new one
TRIES_SHOWN = 50  # of a delivery: more come only of replays
RETRIED_AT_ONCE = 100  # endpoints, when staff retry all that fail
REPLAYED_AT_ONCE = 10_000  # deliveries of one range
NEWEST_FIRST = Keyset(("-id", UUID))  # the order of deliveries
TYPES: tuple[str, ...] = tuple(action.value for action in FEED_ACTIONS)


class TooManyEndpoints(Clash):
    """The agency has as many endpoints as it may have."""

    code = "too_many_webhooks"
    sentence = _("An agency has at most 10 webhooks. Remove one first.")


class EndpointOff(Clash):
    """Nothing is sent to an endpoint that is off."""

    code = "webhook_off"
    sentence = _("The webhook is switched off. Switch it on: what has not arrived is sent then.")


class RangeTooWide(DomainError):
    """More happened between the two times than can be sent again at once."""

    code = "range_too_wide"
    sentence = _("Too much happened in this time. Choose a shorter one.")


class EndpointChanges(TypedDict, total=False):
    """Fields of an endpoint that are to change; what is absent stays."""

    url: str
    description: str
    types: list[str]


# --- endpoints


def endpoints_of(actor: Actor) -> QuerySet[WebhookEndpoint]:
    """Return the agency's endpoints, the oldest first. Raises NotAllowed."""
    must_manage(actor)
    return WebhookEndpoint.objects.visible_to(actor).order_by("id")


def stopped_count(actor: Actor) -> int:
    """Return how many of the agency's endpoints LK has switched off: for others than its head none."""
    return WebhookEndpoint.objects.visible_to(actor).off_by_itself().count() if actor.is_head else 0


@unit_of_work
def add_endpoint(url: str, *, description: str = "", types: list[str] | None = None, actor: Actor) -> WebhookEndpoint:
    """Add an endpoint, which is sent what happens from now on. Its secret is shown to who adds it and never again.

    Raises NotAllowed, Invalid, TooManyEndpoints.
    """
    must_manage(actor)
    assert actor.agency_id is not None
    assert actor.id is not None
    cleaned = cleaned_changes({"url": url, "description": description, "types": types or []})
    agency = Agency.objects.select_for_update(no_key=True).get(pk=actor.agency_id)
    if WebhookEndpoint.objects.visible_to(actor).count() >= ENDPOINTS_AT_MOST:
        raise TooManyEndpoints
    head = AgencyHead.objects.filter(pk=agency.pk).first()
    endpoint = WebhookEndpoint(
        agency=agency, secret=new_secret(), made_by=actor.id, followed_seq=head.seq if head else 0, **cleaned
    )
    endpoint.save(force_insert=True)
    record(actor, Action.WEBHOOK_ADDED, endpoint, version=endpoint.version)
    return endpoint


@unit_of_work
def edit_endpoint(
    endpoint_id: UUID, *, actor: Actor, version: int | None, **changes: Unpack[EndpointChanges]
) -> WebhookEndpoint:
    """Change where and what is sent; the same values again change nothing. What waits goes to the new address.

    Raises WebhookEndpoint.DoesNotExist, VersionRequired, Stale, Invalid.
    """
    endpoint = WebhookEndpoint.objects.visible_to(actor).lock(endpoint_id)
    endpoint.require_version(version)
    cleaned = cleaned_changes(changes)
    changed = {name: value for name, value in cleaned.items() if getattr(endpoint, name) != value}
    if not changed:
        return endpoint
    for name, value in changed.items():
        setattr(endpoint, name, value)
    endpoint.save_changes(*changed)
    record(actor, Action.WEBHOOK_CHANGED, endpoint)
    return endpoint


@unit_of_work
def rotate_secret(endpoint_id: UUID, *, actor: Actor) -> WebhookEndpoint:
    """Give an endpoint a new secret; the one before signs beside it for 24 hours. A third one has no place.

    Raises WebhookEndpoint.DoesNotExist.
    """
    endpoint = WebhookEndpoint.objects.visible_to(actor).lock(endpoint_id)
    endpoint.previous_secret, endpoint.secret = endpoint.secret, new_secret()
    endpoint.previous_until = timezone.now() + SECRET_OVERLAP
    endpoint.save_changes("secret", "previous_secret", "previous_until")
    record(actor, Action.WEBHOOK_CHANGED, endpoint, fields=["secret"])
    return endpoint


@unit_of_work
def remove_endpoint(endpoint_id: UUID, *, actor: Actor, version: int | None) -> None:
    """Remove an endpoint; what waits is not sent, and a sweep deletes the rest.

    Raises WebhookEndpoint.DoesNotExist, VersionRequired, Stale.
    """
    endpoint = WebhookEndpoint.objects.visible_to(actor).lock(endpoint_id)
    endpoint.require_version(version)
    endpoint.url, endpoint.secret, endpoint.previous_secret = "", "", None
    endpoint.removed_at = timezone.now()
    endpoint.save_changes("url", "secret", "previous_secret", "removed_at")
    record(actor, Action.WEBHOOK_REMOVED, endpoint, fields=["removed_at"])


@unit_of_work
def switch_off(endpoint_id: UUID, *, actor: Actor) -> WebhookEndpoint:
    """Stop sending to an endpoint; one that is off stays so. Raises WebhookEndpoint.DoesNotExist."""
    endpoint = WebhookEndpoint.objects.visible_to(actor).lock(endpoint_id)
    if endpoint.is_on:
        webhook_delivery.switch_off(endpoint, WebhookOff.PERSON, actor=actor)
    return endpoint


@unit_of_work
def switch_on(endpoint_id: UUID, *, actor: Actor) -> WebhookEndpoint:
    """Send again: what waits, what failed and what happened meanwhile, back to 30 days. Raises DoesNotExist."""
    endpoint = WebhookEndpoint.objects.visible_to(actor).lock(endpoint_id)
    if not endpoint.is_on:
        begin_again(endpoint, actor=actor)
    return endpoint


def begin_again(endpoint: WebhookEndpoint, *, actor: Actor) -> int:
    """Switch a locked endpoint on, and return how many deliveries of the time before are sent now."""
    endpoint.is_on, endpoint.off_why, endpoint.switched_off_at, endpoint.failing_since = True, "", None, None
    endpoint.save_changes("is_on", "off_why", "switched_off_at", "failing_since")
    count = send_again(undelivered(endpoint))
    record(actor, Action.WEBHOOK_SWITCHED_ON, endpoint, fields=["is_on"])
    return count


@unit_of_work
def retry_endpoint(endpoint_id: UUID, *, actor: Actor) -> int:
    """Send at once, as staff ask, what has not arrived, and return how many deliveries; an endpoint that LK has
    switched off is switched on for it.

    Raises NotAllowed for others than staff, WebhookEndpoint.DoesNotExist, EndpointOff for one that its head wants off.
    """
    if not actor.is_staff:
        raise NotAllowed
    endpoint = WebhookEndpoint.objects.there().lock(endpoint_id)
    if endpoint.off_why == WebhookOff.PERSON:
        raise EndpointOff
    if not endpoint.is_on:
        return begin_again(endpoint, actor=actor)
    count = send_again(undelivered(endpoint))
    record(actor, Action.WEBHOOK_REPLAYED, endpoint, deliveries=count)
    return count


def retry_failing(*, actor: Actor) -> int:
    """Retry endpoints that fail, those that have failed longest first, and return how many. Raises NotAllowed."""
    failing = WebhookEndpoint.objects.failing().order_by("failing_since").values_list("pk", flat=True)
    found = list(failing[:RETRIED_AT_ONCE])
    for endpoint_id in found:
        with suppress(WebhookEndpoint.DoesNotExist, EndpointOff):  # removed or switched off meanwhile
            retry_endpoint(endpoint_id, actor=actor)
    return len(found)


def undelivered(endpoint: WebhookEndpoint) -> WebhookDeliveryQuerySet:
    return WebhookDelivery.objects.filter(endpoint=endpoint).real().exclude(state=WebhookState.DONE)


# --- deliveries


def deliveries_of(endpoint_id: UUID, *, actor: Actor) -> QuerySet[WebhookDelivery]:
    """Return an endpoint's deliveries. Raises WebhookEndpoint.DoesNotExist."""
    endpoint = WebhookEndpoint.objects.visible_to(actor).get(pk=endpoint_id)
    return WebhookDelivery.objects.filter(endpoint=endpoint)


def tries_of(delivery: WebhookDelivery) -> list[WebhookAttempt]:
    """Return the last tries of a delivery, the newest first."""
    return list(delivery.tries.order_by("-id")[:TRIES_SHOWN])


@unit_of_work
def send_test(endpoint_id: UUID, *, actor: Actor) -> WebhookDelivery:
    """Send an event that never happened, once, also to an endpoint that is off. Raises WebhookEndpoint.DoesNotExist."""
    endpoint = WebhookEndpoint.objects.visible_to(actor).lock(endpoint_id)
    now, event_id = timezone.now(), new_id()
    about = {"type": "webhook", "id": str(endpoint.pk)}
    data = {"event": str(event_id), "object": about, "version": endpoint.version, "fields": []}
    payload = webhook_delivery.as_json({"type": TEST_TYPE, "timestamp": utc_text(now), "data": data})
    delivery = WebhookDelivery(endpoint=endpoint, event_id=event_id, type=TEST_TYPE, payload=payload)
    delivery.created_at = delivery.due_at = now
    delivery.save(force_insert=True)
    return delivery


@unit_of_work
def replay_delivery(endpoint_id: UUID, delivery_id: UUID, *, actor: Actor) -> WebhookDelivery:
    """Send a delivery again, under the same id. Raises WebhookEndpoint.DoesNotExist, its own, and EndpointOff."""
    endpoint = open_endpoint(endpoint_id, actor)
    deliveries = WebhookDelivery.objects.filter(endpoint=endpoint)
    delivery = deliveries.get(pk=delivery_id)
    send_again(deliveries.filter(pk=delivery.pk))
    record(actor, Action.WEBHOOK_REPLAYED, endpoint, deliveries=1)
    delivery.refresh_from_db()
    return delivery


@unit_of_work
def replay_range(endpoint_id: UUID, *, since: datetime, until: datetime, actor: Actor) -> int:
    """Send everything again that happened from one time to another, and return how many deliveries that is.

    What happened while the endpoint was off, before it was added, or was not asked for then, is sent too. Raises
    WebhookEndpoint.DoesNotExist, EndpointOff, Invalid, RangeTooWide.
    """
    endpoint = open_endpoint(endpoint_id, actor)
    if until < since:
        raise Invalid.at("until", "range_backwards", _("This is earlier than the beginning."))
    since = max(since, timezone.now() - settings.FEED_LIFE)
    log = Event.objects.filter(agency_id=endpoint.agency_id, at__gte=since, at__lte=until)
    wanted = log.filter(action__in=endpoint.types or TYPES, seq__lte=endpoint.followed_seq).order_by("seq")
    events = list(wanted[: REPLAYED_AT_ONCE + 1])
    if len(events) > REPLAYED_AT_ONCE:
        raise RangeTooWide
    send_again(WebhookDelivery.objects.filter(endpoint=endpoint, event_id__in=[event.pk for event in events]))
    webhook_delivery.deliver_to(endpoint, events)
    record(actor, Action.WEBHOOK_REPLAYED, endpoint, deliveries=len(events))
    return len(events)


def open_endpoint(endpoint_id: UUID, actor: Actor) -> WebhookEndpoint:
    """Lock an endpoint that is on. Raises WebhookEndpoint.DoesNotExist, EndpointOff."""
    endpoint = WebhookEndpoint.objects.visible_to(actor).lock(endpoint_id)
    if not endpoint.is_on:
        raise EndpointOff
    return endpoint


def send_again(deliveries: QuerySet[WebhookDelivery]) -> int:
    """Let deliveries begin anew, and return how many. One that is being sent keeps its lease, and that try counts."""
    now = timezone.now()
    return deliveries.update(state=WebhookState.WAITING, attempts=0, due_at=now, settled_at=None)


# --- rules


def must_manage(actor: Actor) -> None:
    """Raise NotAllowed for anyone but a head and a program."""
    if not actor.is_head:
        raise NotAllowed


def cleaned_changes(changes: EndpointChanges) -> EndpointChanges:
    """Return changes as they are stored. Raises Invalid."""
    cleaned: EndpointChanges = {}
    if "url" in changes:
        cleaned["url"] = checked("url", clean_url, changes["url"])
    if "description" in changes:
        cleaned["description"] = checked(
            "description", partial(clean_line, max_length=DESCRIPTION_AT_MOST), changes["description"]
        )
    if "types" in changes:
        cleaned["types"] = cleaned_types(changes["types"])
    return cleaned


def checked(field: str, check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except InvalidValue as refused:
        raise Invalid(errors=[refused.at(field)]) from None


def cleaned_types(types: list[str]) -> list[str]:
    """Return types of events in their own order, each once. Raises Invalid."""
    if unknown := set(types) - set(TYPES):
        raise Invalid.at("types", "unknown", _("There is no such event: %(type)s.") % {"type": min(unknown)})
    return [name for name in TYPES if name in set(types)]
