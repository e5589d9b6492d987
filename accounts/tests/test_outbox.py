"""The outbox: nothing is lost, nothing is sent for nothing, and no text stays once it is settled."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.gateways import Delivery, DeliveryReport, OutgoingSms, Refused, Sent, TryAgain
from accounts.models import Event, SmsMessage, SmsState
from accounts.services import outbox
from accounts.tests.clock import clock
from accounts.tests.logging_in import ANNA, Tray
from accounts.tests.people import make_agent
from accounts.tests.side_by_side import side_by_side

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


class Broken(Tray):
    """A gateway that answers as it is told, and then sends."""

    def __init__(self, *answers: Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.tries = 0

    def send(self, sms: OutgoingSms) -> Sent:
        self.tries += 1
        if self.answers:
            raise self.answers.pop(0)
        super().send(sms)
        return Sent(gateway_id=str(sms.id), status=100)


def queue(phone: str = ANNA, **fields) -> SmsMessage:
    return outbox.queue_sms(phone, "Code 123456", **{"useless_at": timezone.now() + timedelta(minutes=5), **fields})


def test_a_message_is_sent_once_and_its_text_erased(clock):
    anna = make_agent(phone=ANNA)
    sms, tray = queue(address="203.0.113.9", challenge_id=uuid4()), Tray()
    assert (outbox.deliver(tray), outbox.deliver(tray)) == (1, 0)
    assert [(sent.id, sent.phone, sent.text, sent.minutes) for sent in tray.sent] == [(sms.pk, ANNA, "Code 123456", 5)]
    sms.refresh_from_db()
    assert (sms.state, sms.text, sms.gateway_status, sms.lease) == (SmsState.SENT, None, 100, None)
    event = Event.objects.get()
    assert (event.action, event.agency_id, event.object_id) == ("code.sent", anna.agency_id, anna.pk)
    assert (event.actor_kind, event.address) == ("nobody", "203.0.113.9")


def test_a_gateway_that_cannot_now_is_asked_again_later(clock):
    sms, gateway = queue(), Broken(TryAgain(220), TryAgain())
    assert outbox.deliver(gateway) == 1
    assert outbox.deliver(gateway) == 0, "not at once"
    clock.forward(seconds=1)
    outbox.deliver(gateway)
    clock.forward(seconds=2)
    outbox.deliver(gateway)
    assert [(sent.id, sent.attempt) for sent in gateway.sent] == [(sms.pk, 3)]


def test_a_gateway_that_is_down_is_asked_until_the_code_dies(clock):
    sms, gateway = queue(), Broken(*[TryAgain(500)] * 100)
    for _ in range(310):
        outbox.deliver(gateway)
        clock.forward(seconds=1)
    sms.refresh_from_db()
    assert (sms.state, sms.text, sms.gateway_status) == (SmsState.FAILED, None, 500)
    assert 8 <= gateway.tries <= outbox.ATTEMPTS_AT_MOST
    assert [event.action for event in Event.objects.all()] == ["sms.failed"]


def test_a_refused_message_is_not_tried_again(clock):
    sms, gateway = queue(), Broken(Refused(207))
    outbox.deliver(gateway)
    clock.forward(seconds=60)
    assert outbox.deliver(gateway) == 0
    sms.refresh_from_db()
    assert (sms.state, sms.text, sms.gateway_status) == (SmsState.FAILED, None, 207)
    assert Event.objects.get().data["status"] == 207


def test_a_message_that_nobody_sent_in_time_is_given_up_unsent(clock):
    sms, tray = queue(), Tray()
    clock.forward(minutes=5)
    outbox.deliver(tray)
    sms.refresh_from_db()
    assert (tray.sent, sms.state, sms.text) == ([], SmsState.CANCELLED, None)


def test_a_newer_message_of_a_challenge_takes_the_place_of_the_older(clock):
    challenge, tray = uuid4(), Tray()
    old, new, other = queue(challenge_id=challenge), queue(challenge_id=challenge), queue(challenge_id=uuid4())
    outbox.deliver(tray)
    assert {sent.id for sent in tray.sent} == {new.pk, other.pk}
    old.refresh_from_db()
    assert (old.state, old.text) == (SmsState.CANCELLED, None)


def test_what_is_taken_back_while_it_is_sent_is_settled_and_never_tried_again(clock):
    challenge = uuid4()
    sms = queue(challenge_id=challenge)
    for outcome, state in ((TryAgain(220), SmsState.CANCELLED), (Sent("1", 100), SmsState.SENT)):
        SmsMessage.objects.update(state=SmsState.QUEUED, leased_until=None)
        (leased,) = outbox.claim()
        outbox.cancel_queued(challenge)
        outbox.settle(leased, outcome)
        sms.refresh_from_db()
        assert sms.state == state
        assert outbox.deliver(Tray()) == 0


def test_a_killed_workers_message_is_sent_by_another_with_the_same_id(clock):
    sms, tray = queue(), Tray()
    (lost,) = outbox.claim()
    assert outbox.deliver(tray) == 0, "it is leased"
    clock.forward(seconds=61)
    assert outbox.deliver(tray) == 1
    assert [sent.id for sent in tray.sent] == [sms.pk]
    outbox.settle(lost, Refused(207))
    sms.refresh_from_db()
    assert sms.state == SmsState.SENT, "who lost the lease settles nothing"


def test_a_clock_that_steps_back_keeps_no_message_waiting(clock):
    waits, leased, tray = queue(), queue(), Tray()
    (first,) = outbox.claim(most=1)
    outbox.settle(first, TryAgain(220))
    outbox.claim()
    clock.forward(hours=-1)
    assert outbox.deliver(tray) == 2
    assert {sent.id for sent in tray.sent} == {waits.pk, leased.pk}
    assert outbox.deliver(tray) == 0


def test_a_message_of_a_rolled_back_transaction_is_never_sent(clock):
    with transaction.atomic():
        queue()
        transaction.set_rollback(True)
    assert outbox.deliver(Tray()) == 0


def test_a_message_that_cannot_be_read_is_given_up(clock):
    sms, tray = queue(), Tray()
    other = queue()
    token = SmsMessage.objects.cells("text").get(pk=other.pk)[0].token
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {SmsMessage._meta.db_table} SET text = %s WHERE id = %s",
            [token, SmsMessage._meta.pk.get_db_prep_value(sms.pk, connection)],
        )
    outbox.deliver(tray)
    assert [sent.id for sent in tray.sent] == [other.pk]
    sms.refresh_from_db()
    assert (sms.state, sms.text) == (SmsState.FAILED, None)


@pytest.mark.django_db(transaction=True)
def test_many_workers_send_each_message_once():
    ids = {queue().pk for _ in range(60)}
    trays = [Tray() for _ in range(12)]
    side_by_side(12, lambda number: [outbox.deliver(trays[number]) for _ in range(6)])
    sent = [sms.id for tray in trays for sms in tray.sent]
    assert len(sent) == 60
    assert set(sent) == ids


class Telling(Tray):
    def __init__(self, **reports: DeliveryReport) -> None:
        super().__init__()
        self.told = reports
        self.asked: list[list[str]] = []

    def send(self, sms: OutgoingSms) -> Sent:
        return Sent(gateway_id="a", status=100)

    def reports(self, gateway_ids: list[str]) -> dict[str, DeliveryReport]:
        self.asked.append(gateway_ids)
        return self.told


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (DeliveryReport(Delivery.DELIVERED, 103), SmsState.DELIVERED),
        (DeliveryReport(Delivery.FAILED, 104), SmsState.FAILED),
        (DeliveryReport(Delivery.ON_ITS_WAY, 102), SmsState.SENT),
    ],
)
def test_what_became_of_a_message_is_asked_for(clock, report, state):
    sms, gateway = queue(), Telling(a=report)
    outbox.deliver(gateway)
    assert outbox.follow_up(gateway) == 0
    clock.forward(seconds=30)
    assert outbox.follow_up(gateway) == (state != SmsState.SENT)
    sms.refresh_from_db()
    assert sms.state == state
    clock.forward(hours=1)
    outbox.follow_up(gateway)
    assert gateway.asked == [["a"]], "not for ever"


def test_settled_messages_are_deleted_after_three_months(clock):
    queue()
    outbox.deliver(Tray())
    clock.forward(days=89)
    outbox.sweep(timezone.now())
    assert SmsMessage.objects.count() == 1
    clock.forward(days=2)
    outbox.sweep(timezone.now())
    assert SmsMessage.objects.count() == 0
