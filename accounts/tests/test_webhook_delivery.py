"""Webhooks: what happens reaches the receiver once, signed, however often it was down and workers were killed."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.actor import Actor
from accounts.models import (
    Action,
    Agency,
    Event,
    Role,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookState,
)
from accounts.services import sweeps, webhook_delivery, webhooks
from accounts.services.unit_of_work import record, unit_of_work
from accounts.services.webhook_delivery import deliver
from accounts.tests.clock import clock
from accounts.tests.people import make_agency, make_agent
from accounts.tests.receiver import Receiver, Told, receiving
from lk_site.tests.sealed import put_token

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _loopback(settings) -> None:
    settings.WEBHOOK_LOOPBACK = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def vera() -> Actor:
    return by(make_agent(make_agency(), "Вера Власова", role=Role.HEAD))


def by(user: User) -> Actor:
    return Actor.of(user, address="203.0.113.5", request_id="test")


def happen(actor: Actor, action: Action = Action.DEAL_CHANGED, **facts: Any) -> Event:
    """Let something happen in the actor's agency."""
    with unit_of_work():
        event = record(actor, action, Agency.objects.get(pk=actor.agency_id or ""), **facts)
        event.at = timezone.now()  # as the clock of the test says
        return event


def state_of(delivery_id: UUID) -> tuple[str, int]:
    delivery = WebhookDelivery.objects.get(pk=delivery_id)
    return delivery.state, delivery.attempts


# --- what is sent


def test_what_happens_reaches_the_receiver_and_the_reference_library_believes_it(vera, receiver):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    event = happen(vera, fields=["price"], version=7)
    deliver()
    (received,) = receiver.received
    assert received.opened(endpoint.secret) == {
        "type": "deal.changed",
        "timestamp": event.at.isoformat().replace("+00:00", "Z"),
        "data": {
            "event": str(event.pk),
            "object": {"type": "agency", "id": str(vera.agency_id)},
            "version": 7,
            "fields": ["price"],
        },
    }
    assert received.id == f"msg_{event.pk.hex}"
    assert received.headers["content-type"] == "application/json"
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_code) == (WebhookState.DONE, 1, 200)
    assert [(one.code, one.body) for one in WebhookAttempt.objects.all()] == [(200, "ok")]


def test_a_payload_that_was_altered_is_not_believed(vera, receiver):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    happen(vera)
    deliver()
    (received,) = receiver.received
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(received.body.replace(b"deal", b"DEAL"), received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(received.body, {**received.headers, "webhook-id": "msg_other"})


def test_an_endpoint_is_sent_only_what_happens_after_it_was_added(vera, receiver):
    happen(vera)
    webhooks.add_endpoint(receiver.url, actor=vera)
    deliver()
    assert receiver.received == []


def test_an_endpoint_is_sent_the_types_that_it_asked_for(vera, receiver):
    webhooks.add_endpoint(receiver.url, types=["client.created", "note.added"], actor=vera)
    for action in (Action.DEAL_CHANGED, Action.CLIENT_CREATED, Action.NOTE_ADDED, Action.CLIENT_LOOKED_AT):
        happen(vera, action)
    deliver()
    assert sorted(json.loads(one.body)["type"] for one in receiver.received) == ["client.created", "note.added"]


def test_looks_and_logins_are_sent_to_nobody(vera, receiver):
    webhooks.add_endpoint(receiver.url, actor=vera)
    for action in (Action.CLIENT_LOOKED_AT, Action.CLIENT_REVEALED, Action.SESSION_OPENED, Action.WEBHOOK_CHANGED):
        happen(vera, action)
    deliver()
    assert receiver.received == []
    assert WebhookEndpoint.objects.get().followed_seq == Event.objects.filter(agency_id=vera.agency_id).count()


def test_nothing_of_one_agency_is_sent_to_another(vera, receiver):
    webhooks.add_endpoint(receiver.url, actor=vera)
    gleb = by(make_agent(make_agency("Свой угол"), "Глеб Громов", role=Role.HEAD))
    happen(gleb)
    deliver()
    assert receiver.received == []


def test_each_endpoint_of_an_agency_is_sent_everything(vera, receiver):
    with receiving() as other:
        for one in (receiver, other):
            webhooks.add_endpoint(one.url, actor=vera)
        events = [happen(vera) for _ in range(7)]
        deliver()
        ids = sorted(f"msg_{event.pk.hex}" for event in events)
        assert sorted(receiver.ids) == sorted(other.ids) == ids


def test_what_is_rolled_back_is_never_sent(vera, receiver):
    webhooks.add_endpoint(receiver.url, actor=vera)
    with transaction.atomic():
        happen(vera)
        transaction.set_rollback(True)
    deliver()
    assert receiver.received == []


def test_after_a_rotation_both_secrets_sign_for_a_day(vera, receiver, clock):
    old = webhooks.add_endpoint(receiver.url, actor=vera)
    new = webhooks.rotate_secret(old.pk, actor=vera)
    assert new.secret != old.secret
    happen(vera)
    deliver()
    for secret in (old.secret, new.secret):
        assert receiver.received[0].opened(secret)["type"] == "deal.changed"
    clock.forward(hours=24)
    happen(vera)
    deliver()
    signatures = receiver.received[1].headers["webhook-signature"]
    assert len(signatures.split()) == 1, "the old one has ended"


# --- tries


def test_a_receiver_that_is_down_for_three_hours_gets_everything_once(vera, receiver, clock):
    webhooks.add_endpoint(receiver.url, actor=vera)
    receiver.always = Told(503)
    events = [happen(vera) for _ in range(3)]
    went_down = clock.now
    while clock.now < went_down + timedelta(hours=3):
        deliver()
        clock.forward(minutes=5)
    tried_in_vain = len(receiver.received)
    receiver.always = Told(200)
    for _ in range(12):
        deliver()
        clock.forward(hours=1)
    arrived = receiver.ids[tried_in_vain:]
    assert sorted(arrived) == sorted(f"msg_{event.pk.hex}" for event in events), "once each, under its own id"
    assert {one.state for one in WebhookDelivery.objects.all()} == {WebhookState.DONE}
    assert WebhookEndpoint.objects.get().is_on


def test_a_delivery_is_tried_again_after_growing_waits_and_then_the_endpoint_is_switched_off(
    vera, receiver, clock, settings
):
    webhooks.add_endpoint(receiver.url, actor=vera)
    receiver.always = Told(500)
    happen(vera)
    for _ in range(20):
        deliver()
        clock.now = WebhookDelivery.objects.get().due_at
    tries = list(WebhookAttempt.objects.order_by("id").values_list("at", flat=True))
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(tries)]
    assert len(waits) == len(settings.WEBHOOK_RETRIES_S) == 9
    for wait, least in zip(waits, settings.WEBHOOK_RETRIES_S, strict=True):
        assert least <= wait <= least * 1.1
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.is_on, endpoint.off_why) == (False, "failing")
    assert Event.objects.filter(action="webhook.switched_off").get().data == {"why": "failing"}
    assert WebhookDelivery.objects.get().state == WebhookState.FAILED


def test_a_receiver_is_left_alone_for_as_long_as_it_asks(vera, receiver, clock):
    webhooks.add_endpoint(receiver.url, actor=vera)
    receiver.next.append(Told(429, {"Retry-After": "120"}))
    happen(vera)
    deliver()
    clock.forward(seconds=119)
    deliver()
    assert len(receiver.received) == 1
    clock.forward(seconds=1)
    deliver()
    assert len(receiver.received) == 2
    assert len(set(receiver.ids)) == 1


def test_a_receiver_that_is_gone_is_never_asked_again(vera, receiver, clock):
    webhooks.add_endpoint(receiver.url, actor=vera)
    receiver.always = Told(410)
    happen(vera)
    deliver()
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.is_on, endpoint.off_why) == (False, "gone")
    happen(vera)
    clock.forward(days=4)
    deliver()
    assert len(receiver.received) == 1


def test_a_redirect_is_not_followed(vera, receiver, clock):
    with receiving() as elsewhere:
        receiver.always = Told(307, {"Location": elsewhere.url})
        webhooks.add_endpoint(receiver.url, actor=vera)
        happen(vera)
        deliver()
        assert (len(receiver.received), elsewhere.received) == (1, [])
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.last_code) == (WebhookState.WAITING, 307)


def test_switching_on_again_sends_what_waits_what_failed_and_what_happened_meanwhile(vera, receiver, clock):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    receiver.always = Told(410)
    failed = happen(vera)
    deliver()
    receiver.received.clear()
    meanwhile = happen(vera)
    receiver.always = Told(204)
    webhooks.switch_on(endpoint.pk, actor=vera)
    deliver()
    assert sorted(receiver.ids) == sorted(f"msg_{event.pk.hex}" for event in (failed, meanwhile))


def test_what_happened_more_than_thirty_days_before_a_switching_on_is_not_sent(vera, receiver, clock):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    webhooks.switch_off(endpoint.pk, actor=vera)
    happen(vera)
    clock.forward(days=31)
    late = happen(vera)
    webhooks.switch_on(endpoint.pk, actor=vera)
    deliver()
    assert receiver.ids == [f"msg_{late.pk.hex}"]


def test_an_address_that_cannot_be_read_is_no_end_of_the_worker(vera, receiver):
    broken, whole = (webhooks.add_endpoint(receiver.url, actor=vera) for _ in range(2))
    put_token(broken, b"\x01 no token of ours, and long enough to be one", "url")
    happen(vera)
    deliver()
    assert len(receiver.received) == 1
    told = dict(WebhookDelivery.objects.values_list("endpoint_id", "last_error"))
    assert told == {broken.pk: "unreadable", whole.pk: ""}


# --- replays and tests


def test_a_replay_of_one_has_the_same_id(vera, receiver):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    happen(vera)
    deliver()
    webhooks.replay_delivery(endpoint.pk, WebhookDelivery.objects.get().pk, actor=vera)
    deliver()
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)


def test_a_replay_of_a_range_sends_that_range_and_what_was_never_sent(vera, receiver, clock):
    clock.forward(hours=1)
    before = happen(vera)
    clock.forward(hours=1)
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    inside = happen(vera)
    clock.forward(hours=1)
    happen(vera)
    deliver()
    receiver.received.clear()
    count = webhooks.replay_range(endpoint.pk, since=before.at, until=inside.at, actor=vera)
    deliver()
    assert count == len(receiver.received) == 2
    assert set(receiver.ids) == {f"msg_{event.pk.hex}" for event in (before, inside)}


def test_a_replay_of_what_is_just_being_sent_is_settled_by_that_try(vera, receiver):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    happen(vera)
    webhook_delivery.fan_out()
    ((leased, _message),) = webhook_delivery.claim(10)
    webhooks.replay_delivery(endpoint.pk, leased.pk, actor=vera)
    webhook_delivery.settle(leased, webhook_delivery.Try(timezone.now(), 5, code=200))
    deliver()
    assert receiver.received == []
    assert WebhookDelivery.objects.get().state == WebhookState.DONE


def test_a_test_event_is_sent_once_also_to_an_endpoint_that_is_off(vera, receiver, clock):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    webhooks.switch_off(endpoint.pk, actor=vera)
    receiver.always = Told(500)
    test = webhooks.send_test(endpoint.pk, actor=vera)
    deliver()
    clock.forward(days=1)
    deliver()
    (received,) = receiver.received
    payload = received.opened(endpoint.secret)
    assert (payload["type"], payload["data"]["object"]["id"]) == ("webhook.test", str(endpoint.pk))
    assert state_of(test.pk) == (WebhookState.FAILED, 1)
    assert WebhookEndpoint.objects.get().off_why == "person"


def test_a_test_event_that_fails_switches_nothing_off(vera, receiver):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    receiver.always = Told(500)
    webhooks.send_test(endpoint.pk, actor=vera)
    deliver()
    assert WebhookEndpoint.objects.get().is_on


# --- swept


def test_deliveries_are_deleted_after_thirty_days_and_a_removed_endpoint_after_an_hour(vera, receiver, clock):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    happen(vera)
    deliver()
    clock.forward(days=29)
    sweeps.run(timezone.now())
    assert WebhookAttempt.objects.count() == 1
    clock.forward(days=2)
    sweeps.run(timezone.now())
    assert (WebhookDelivery.objects.count(), WebhookAttempt.objects.count()) == (0, 0)
    happen(vera)
    deliver()
    webhooks.remove_endpoint(endpoint.pk, actor=vera, version=1)
    clock.forward(hours=2)
    sweeps.run(timezone.now())
    assert (WebhookEndpoint.objects.count(), WebhookDelivery.objects.count()) == (0, 0)


def test_a_removed_endpoint_is_sent_nothing_and_keeps_no_secret(vera, receiver):
    endpoint = webhooks.add_endpoint(receiver.url, actor=vera)
    happen(vera)
    webhooks.remove_endpoint(endpoint.pk, actor=vera, version=1)
    deliver()
    removed = WebhookEndpoint.objects.get()
    assert (receiver.received, removed.url, removed.secret, removed.previous_secret) == ([], "", "", None)


def test_the_lease_of_a_killed_worker_runs_out_and_the_same_id_is_sent_again(vera, receiver, clock):
    webhooks.add_endpoint(receiver.url, actor=vera)
    happen(vera)
    webhook_delivery.fan_out()
    ((lost, _message),) = webhook_delivery.claim(10)
    deliver()
    assert receiver.received == [], "it is leased"
    clock.forward(seconds=61)
    deliver()
    assert len(receiver.received) == 1
    webhook_delivery.settle(lost, webhook_delivery.Try(timezone.now(), 5, code=500))
    assert WebhookDelivery.objects.get().state == WebhookState.DONE, "who lost the lease settles nothing"


def test_an_endpoint_that_fails_is_tried_with_one_delivery_at_a_time(vera, receiver, clock):
    webhooks.add_endpoint(receiver.url, actor=vera)
    receiver.always = Told(500)
    for _ in range(12):
        happen(vera)
    webhook_delivery.fan_out()
    assert len(webhook_delivery.claim(64)) == webhook_delivery.SENT_AT_ONCE_TO_ONE
    clock.forward(seconds=61)
    deliver()
    clock.forward(hours=1)
    assert len(webhook_delivery.claim(64)) == 1
