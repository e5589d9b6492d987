"""Workers as processes, killed at any moment: nothing is lost, and what is sent twice has the same id."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connections
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Event, Role, SmsMessage, SmsState, WebhookDelivery, WebhookState
from accounts.services import webhook_delivery, webhooks
from accounts.tests.people import make_agency, make_agent
from accounts.tests.receiver import Receiver, receiving
from accounts.tests.side_by_side import side_by_side
from accounts.tests.test_webhook_delivery import by, happen
from accounts.tests.test_worker import Worker, queue, start, wait_until

__all__ = ["start"]
pytestmark = pytest.mark.django_db(transaction=True)
LOCAL = {"LK_LOCAL": "1", "LK_WEBHOOK_LOOPBACK": "1"}
Start = Callable[..., Worker]


@pytest.fixture(autouse=True)
def _loopback(settings) -> None:
    settings.WEBHOOK_LOOPBACK = True


@pytest.fixture
def vera() -> Actor:
    return by(make_agent(make_agency(), "Вера Власова", role=Role.HEAD))


def kill(worker: Worker) -> None:
    worker.kill()
    worker.communicate()


def all_has_arrived() -> bool:
    return not WebhookDelivery.objects.exclude(state=WebhookState.DONE).exists()


def test_many_workers_make_one_delivery_of_each_event_and_endpoint(vera):
    endpoints = [webhooks.add_endpoint(f"http://127.0.0.1:9/{number}", actor=vera) for number in range(3)]
    events = [happen(vera) for _ in range(40)]
    side_by_side(12, lambda number: webhook_delivery.fan_out())
    webhook_delivery.fan_out()
    made = Counter(WebhookDelivery.objects.values_list("endpoint_id", "event_id"))
    assert made == {(endpoint.pk, event.pk): 1 for endpoint in endpoints for event in events}


def test_what_happens_while_deliveries_are_made_is_not_forgotten(vera):
    webhooks.add_endpoint("http://127.0.0.1:9/", actor=vera)
    side_by_side(30, lambda number: webhook_delivery.fan_out() if number % 3 == 0 else happen(vera).pk)
    webhook_delivery.fan_out()
    happened = set(Event.objects.filter(action="deal.changed").values_list("pk", flat=True))
    assert len(happened) == 20
    assert set(WebhookDelivery.objects.values_list("event_id", flat=True)) == happened


@pytest.mark.long
def test_four_workers_killed_while_they_work_lose_nothing(vera, start: Start):
    with receiving() as one, receiving() as other:
        for receiver in (one, other):
            webhooks.add_endpoint(receiver.url, actor=vera)
        workers = [start(**LOCAL) for _ in range(4)]
        busy = threading.Thread(target=happen_often, args=(vera, 150))
        busy.start()
        for receiver in (one, other):  # killed with answers due, and wherever the other two are
            let_some_in(receiver, 2)
            receiver.may_answer.clear()
            let_some_in(receiver, 1)
            kill(workers.pop(0))
            kill(workers.pop(0))
            receiver.may_answer.set()
            workers += [start(**LOCAL), start(**LOCAL)]
        busy.join()
        wait_until(lambda: expire_leases() and all_is_followed() and all_has_arrived())
        sent = [f"msg_{pk.hex}" for pk in Event.objects.filter(action="deal.changed").values_list("pk", flat=True)]
        assert len(sent) == 150
        for receiver in (one, other):
            assert set(receiver.ids) == set(sent)


def happen_often(vera: Actor, times: int) -> None:
    for _ in range(times):
        happen(vera)
    connections.close_all()


def let_some_in(receiver: Receiver, count: int) -> None:
    for _ in range(count):
        if not receiver.asked.acquire(timeout=10):
            expire_leases()  # workers that were killed hold all that is due
            assert receiver.asked.acquire(timeout=60)


def expire_leases() -> bool:
    """Let what killed workers were sending be due, as it is a minute later."""
    return WebhookDelivery.objects.filter(state=WebhookState.WAITING).update(leased_until=timezone.now()) >= 0


def all_is_followed() -> bool:
    return WebhookDelivery.objects.count() == 300


@pytest.mark.long
def test_codes_go_while_ten_receivers_hang(vera, start: Start):
    with receiving() as hanging:
        hanging.may_answer.clear()
        for number in range(10):
            webhooks.add_endpoint(f"{hanging.url}/{number}", actor=vera)
        for _ in range(3):
            happen(vera)
        start(**LOCAL)
        let_some_in(hanging, 10)
        queue()
        wait_until(lambda: SmsMessage.objects.filter(state=SmsState.SENT).exists())
        assert not WebhookDelivery.objects.filter(state=WebhookState.DONE).exists(), "they still hang"


@pytest.mark.long
def test_a_receiver_that_hangs_holds_up_no_other(vera, start: Start):
    with receiving() as hanging, receiving() as quick:
        hanging.may_answer.clear()
        stuck = webhooks.add_endpoint(hanging.url, actor=vera)
        webhooks.add_endpoint(quick.url, actor=vera)
        events = [happen(vera) for _ in range(20)]
        start(**LOCAL)
        let_some_in(quick, 20)
        assert set(quick.ids) == {f"msg_{event.pk.hex}" for event in events}
        assert not WebhookDelivery.objects.filter(endpoint=stuck, state=WebhookState.DONE).exists()
