"""Deliveries of webhooks: made of the event log, sent by workers, tried again for three days.

The event log is the outbox. It is written in the transaction of the change and numbered in commit order, so an endpoint
that has followed it up to a number has missed nothing below. Making deliveries and moving that number is one
transaction, and a delivery is unique for endpoint and event: any number of workers may be killed at any moment. What is
being sent is leased: a killed worker's lease runs out and another one sends again, under the same id.
"""

import json
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import (
    Action,
    Event,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookOff,
    WebhookState,
)
from accounts.services.unit_of_work import record, unit_of_work
from accounts.webhook_wire import Answer, Message, NotAnswered, Trouble, send
from lk_site import metrics, tracing
from lk_site.encryption import Unreadable
from lk_site.schemas import utc_text

READ_AT_ONCE = 500  # events that one transaction makes deliveries of
SENT_AT_ONCE = 64  # by one worker: threads that mostly wait
SENT_AT_ONCE_TO_ONE = 10  # of an endpoint's deliveries by one worker; of one that fails a single one, see `room_of`
LEASE = timedelta(seconds=60)  # longer than a try (settings.WEBHOOK_TIMEOUT_S) and its settling
SHAKEN = (1.0, 1.1)  # a wait is drawn out by up to a tenth, so that those who waited together do not come together
RETRY_AFTER_AT_MOST_S = 86_400  # a receiver may ask for as long as our own longest wait
DELETED_AT_ONCE = 1000
REMOVED_KEPT_FOR = timedelta(hours=1)  # until whatever was on its way has been settled
GONE = 410

Send = Callable[[Message], Answer]


@dataclass(frozen=True, slots=True)
class Try:
    """What came of one try: an answer's code and beginning, or the error that there was none for."""

    at: datetime
    latency_ms: int
    code: int | None = None
    error: str = ""
    body: str = ""
    retry_after_s: float | None = None

    @property
    def has_arrived(self) -> bool:
        return self.code is not None and 200 <= self.code < 300

    @property
    def word(self) -> str:
        if self.code is None:
            return "unanswered"
        return "delivered" if self.has_arrived else "refused"


# --- made of the log


def fan_out() -> int:
    """Make deliveries of what has happened since endpoints last followed, and return how many events that were."""
    behind = list(WebhookEndpoint.objects.on().with_news().values_list("pk", flat=True))
    return sum(follow(pk) for pk in behind)


@transaction.atomic
def follow(endpoint_id: UUID) -> int:
    """Make deliveries of an endpoint's next events, and return how many they are, those included that it does not want.

    Another worker's endpoint is left to it.
    """
    can_skip = connection.features.has_select_for_update_skip_locked
    free = WebhookEndpoint.objects.on().select_for_update(no_key=True, skip_locked=can_skip)
    endpoint = free.filter(pk=endpoint_id).first()
    if endpoint is None:
        return 0
    log = Event.objects.filter(agency_id=endpoint.agency_id, seq__gt=endpoint.followed_seq)
    events = list(log.order_by("seq")[:READ_AT_ONCE])
    if not events:
        return 0
    oldest = timezone.now() - settings.FEED_LIFE
    deliver_to(endpoint, (event for event in events if endpoint.wants(event.action) and event.at > oldest))
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(followed_seq=events[-1].seq)
    return len(events)


def deliver_to(endpoint: WebhookEndpoint, events: Iterable[Event]) -> None:
    """Make deliveries of these events for an endpoint that is locked, those aside that it has."""
    now = timezone.now()
    new = [
        WebhookDelivery(
            endpoint=endpoint,
            event_id=event.pk,
            type=event.action,
            payload=payload_of(event),
            created_at=now,
            due_at=now,
        )
        for event in events
    ]
    WebhookDelivery.objects.bulk_create(new, ignore_conflicts=True)


def payload_of(event: Event) -> str:
    """Return what receivers are told of an event: ids, codes and names of fields, no personal data."""
    data = {
        "event": str(event.pk),
        "object": {"type": event.object_word, "id": event.object_id and str(event.object_id)},
        "version": event.version,
        "fields": event.fields,
    }
    return as_json({"type": str(event.action), "timestamp": utc_text(event.at), "data": data})


def as_json(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


# --- sent


class Courier:
    """Sends what is due from threads of its own. Only the thread that calls `turn` asks the database.

    One receiver that hangs holds its own places and nobody else's: whoever is done is settled at once, and what is due
    next takes the place.
    """

    def __init__(self, send: Send = send) -> None:
        self.send = send
        self.pool = ThreadPoolExecutor(SENT_AT_ONCE, thread_name_prefix="webhook")
        self.on_the_way: dict[Future[Try], WebhookDelivery] = {}

    def turn(self, wait_s: float = 0) -> int:
        """Make deliveries, start what is due, wait up to so long for the first to end, and settle those that have.

        Return how many steps that were: none means that there is nothing to do now.
        """
        followed, started = fan_out(), 0
        for delivery, message in claim(SENT_AT_ONCE - len(self.on_the_way)):
            started += 1
            self.on_the_way[self.pool.submit(tried, self.send, message)] = delivery
        return followed + started + self.settle_done(wait_s)

    def settle_done(self, wait_s: float | None) -> int:
        """Wait up to so long for the first to end, settle all that have, and return how many."""
        done, _still = wait(self.on_the_way, timeout=wait_s, return_when=FIRST_COMPLETED)
        for future in done:
            settle(self.on_the_way.pop(future), future.result())
        return len(done)

    def finish(self) -> int:
        """Settle what is on its way, start nothing more, and return how many there were."""
        done = 0
        while self.on_the_way:
            done += self.settle_done(None)
        self.pool.shutdown()
        return done


def deliver(send: Send = send) -> None:
    """Send all that is due, until nothing is."""
    courier = Courier(send)
    while courier.turn(wait_s=settings.WEBHOOK_TIMEOUT_S):
        pass
    courier.finish()


def claim(most: int) -> list[tuple[WebhookDelivery, Message | None]]:
    """Lease due deliveries to this worker, the oldest of each endpoint first, and return them with what is sent.

    Endpoints come in any order: where places are few, none is always the last.
    """
    now = timezone.now()
    waiting = list(WebhookEndpoint.objects.with_due(now))
    random.shuffle(waiting)
    leased: list[tuple[WebhookDelivery, Message | None]] = []
    for endpoint in waiting:
        if most <= len(leased):
            break
        mine = lease(endpoint, min(room_of(endpoint, now), most - len(leased)), now)
        leased += [(delivery, message_of(endpoint, delivery, now)) for delivery in mine]
    return leased


def room_of(endpoint: WebhookEndpoint, now: datetime) -> int:
    """Return how many more deliveries may go to an endpoint at once; two workers that ask together may overstep it.

    An endpoint that fails gets one at a time: when many hang, each holds one place for as long as a try takes.
    """
    at_once = 1 if endpoint.is_failing else SENT_AT_ONCE_TO_ONE
    return max(0, at_once - WebhookDelivery.objects.leased(now).filter(endpoint=endpoint).count())


def lease(endpoint: WebhookEndpoint, most: int, now: datetime) -> list[WebhookDelivery]:
    if most < 1:
        return []
    token, due = uuid4(), endpoint.due(now).order_by("due_at", "id")
    with transaction.atomic():
        locked = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        ids = list(locked.values_list("pk", flat=True)[:most])
        mine = WebhookDelivery.objects.filter(pk__in=ids)
        mine.update(lease=token, leased_until=now + LEASE, attempts=F("attempts") + 1)
    return list(mine.filter(lease=token).order_by("due_at", "id"))


def message_of(endpoint: WebhookEndpoint, delivery: WebhookDelivery, now: datetime) -> Message | None:
    """Return what is sent, or None if the address or a secret cannot be read."""
    url, secrets = endpoint.url, endpoint.secrets(now)
    if any(isinstance(text, Unreadable) for text in (url, *secrets)):
        return None
    return Message(url, delivery.message_id, delivery.payload, secrets)


def tried(send: Send, message: Message | None) -> Try:
    """Return what came of sending a message. Runs in a thread, outside any transaction."""
    at, started = timezone.now(), time.monotonic()
    try:
        if message is None:
            raise NotAnswered(Trouble.UNREADABLE)
        with tracing.outgoing_span("webhook"):
            answer = send(message)
    except NotAnswered as refused:
        return Try(at, elapsed_ms(started), error=refused.trouble.value)
    return Try(at, elapsed_ms(started), answer.code, body=text_of(answer.body), retry_after_s=answer.retry_after_s)


def elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def text_of(body: bytes) -> str:
    """Return the beginning of an answer as text that both databases keep."""
    return body.decode("utf-8", "replace").replace("\0", "\ufffd")


# --- settled


@unit_of_work
def settle(delivery: WebhookDelivery, one: Try) -> None:
    """Write down what came of a try, if the lease is still this worker's."""
    endpoint = WebhookEndpoint.objects.lock(delivery.endpoint_id)
    mine = WebhookDelivery.objects.filter(pk=delivery.pk, lease=delivery.lease)
    if not mine.update(**outcome(delivery, one)):
        return
    WebhookAttempt(
        delivery_id=delivery.pk, at=one.at, code=one.code, error=one.error, latency_ms=one.latency_ms, body=one.body
    ).save(force_insert=True)
    tell_health(endpoint, one)
    metrics.WEBHOOK_TRIES.add(one.word)
    if endpoint.is_on and (why := reason_to_stop(delivery, one)):
        switch_off(endpoint, why, actor=Actor.system())


def outcome(delivery: WebhookDelivery, one: Try) -> dict[str, Any]:
    """Return what a try makes of its delivery."""
    now = timezone.now()
    told = {
        "lease": None,
        "leased_until": None,
        "last_code": one.code,
        "last_error": one.error,
        "last_latency_ms": one.latency_ms,
    }
    if one.has_arrived:
        return {**told, "state": WebhookState.DONE, "settled_at": now}
    if one.code == GONE or is_last(delivery):
        return {**told, "state": WebhookState.FAILED, "settled_at": now}
    return {**told, "due_at": now + timedelta(seconds=pause_s(delivery.attempts, one.retry_after_s))}


def is_last(delivery: WebhookDelivery) -> bool:
    """Whether nothing follows this try. A test event is tried once: somebody waits for what comes of it."""
    return delivery.is_test or delivery.attempts > len(settings.WEBHOOK_RETRIES_S)


def pause_s(attempts: int, retry_after_s: float | None) -> float:
    """Return the seconds to wait after so many tries: never less than the receiver asked for."""
    own: float = settings.WEBHOOK_RETRIES_S[attempts - 1] * random.uniform(*SHAKEN)  # nosec B311
    return max(own, min(retry_after_s or 0, RETRY_AFTER_AT_MOST_S))


def tell_health(endpoint: WebhookEndpoint, one: Try) -> None:
    """Keep since when an endpoint fails."""
    if one.has_arrived == endpoint.is_failing:
        since = None if one.has_arrived else one.at
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=since)


def reason_to_stop(delivery: WebhookDelivery, one: Try) -> WebhookOff | None:
    if one.code == GONE:
        return WebhookOff.GONE
    has_failed = not (one.has_arrived or delivery.is_test) and is_last(delivery)
    return WebhookOff.FAILING if has_failed else None


def switch_off(endpoint: WebhookEndpoint, why: WebhookOff, *, actor: Actor) -> None:
    """Stop sending to an endpoint that is locked. What waits stays, for when it is switched on again."""
    endpoint.is_on, endpoint.off_why, endpoint.switched_off_at = False, why, timezone.now()
    endpoint.save_changes("is_on", "off_why", "switched_off_at")
    metrics.ENDPOINTS_SWITCHED_OFF.add(why.value)
    record(actor, Action.WEBHOOK_SWITCHED_OFF, endpoint, why=why.value)


# --- swept


def sweep(now: datetime) -> None:
    """Delete deliveries as old as what the change feed forgets, and endpoints that were removed."""
    old = WebhookDelivery.objects.filter(created_at__lt=now - settings.FEED_LIFE)
    while delete_some(old):
        pass
    removed = WebhookEndpoint.objects.filter(removed_at__lt=now - REMOVED_KEPT_FOR)
    while delete_some(WebhookDelivery.objects.filter(endpoint__in=removed)):
        pass
    removed.exclude(deliveries__isnull=False).delete()


@transaction.atomic
def delete_some(deliveries: QuerySet[WebhookDelivery]) -> int:
    """Delete some of these that nobody is sending, with their tries, and return how many."""
    free = deliveries.exclude(leased_until__gt=timezone.now()).order_by("id")
    locked = free.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    ids = list(locked.values_list("pk", flat=True)[:DELETED_AT_ONCE])
    WebhookAttempt.objects.filter(delivery__in=ids).delete()
    WebhookDelivery.objects.filter(pk__in=ids).delete()
    return len(ids)
