"""Chores of all workers together: each done once when it is due by whoever comes first, and begun anew after a kill."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.gateways import gateway
from accounts.management.commands import worker
from accounts.models import Action, Event, Schedule
from accounts.services import schedules
from accounts.services.schedules import AGAIN_AFTER, Chore
from accounts.tests.clock import Clock, clock
from accounts.tests.people import staff_actor
from accounts.tests.side_by_side import side_by_side
from accounts.tests.test_worker import Worker, start, wait_until

__all__ = ["clock", "start"]
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Counted:
    """A chore that counts how often it was done."""

    def __init__(self, name: str = "counted", every: timedelta = HOUR) -> None:
        self.times: list[datetime] = []
        self.fault: Exception | None = None
        self.chore = Chore(name, every, self.do)

    def do(self, now: datetime) -> None:
        if self.fault:
            raise self.fault
        self.times.append(now)


@pytest.mark.django_db(transaction=True)
def test_many_workers_do_a_chore_once_when_it_is_due(clock: Clock):
    counted = Counted()
    for hour in range(1, 4):
        side_by_side(24, lambda number: schedules.do_due([counted.chore]))
        assert len(counted.times) == hour
        clock.forward(hours=1, seconds=1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_each_chore_once(start: Callable[..., Worker]):
    begun, two = time.monotonic(), [start(LK_LOG_LEVEL="DEBUG") for _ in range(2)]
    known = {chore.name for chore in worker.chores(gateway())}
    wait_until(lambda: Schedule.objects.exclude(succeeded_at=None).count() == len(known))
    wait_until(lambda: Schedule.objects.filter(lease=None).count() == len(known))
    for one in two:
        one.terminate()
    lines = [json.loads(line) for one in two for line in one.communicate(timeout=20)[0].splitlines()]
    done = Counter(line["chore"] for line in lines if line["logger"] == "lk.chores")
    assert set(done) == known
    turns = 1 + (time.monotonic() - begun) // worker.SWEEP_EVERY.total_seconds()
    assert max(done[name] for name in known if name.startswith("sweep")) <= turns, "once a minute, not once a worker"


@pytest.mark.django_db
def test_a_chore_of_a_killed_worker_is_begun_anew_when_its_lease_ends(clock: Clock):
    counted = Counted()
    row = schedules.rows_of([counted.chore])["counted"]
    assert schedules.claim(counted.chore, row, clock.now)  # and no more is heard of it
    clock.forward(seconds=59)
    assert schedules.do_due([counted.chore]) == 0
    clock.forward(seconds=2)
    assert schedules.do_due([counted.chore]) == 1
    assert Schedule.objects.get().lease is None


@pytest.mark.django_db
def test_who_comes_back_after_his_lease_ended_settles_nothing(clock: Clock):
    counted = Counted()
    row = schedules.rows_of([counted.chore])["counted"]
    late = schedules.claim(counted.chore, row, clock.now)
    assert late
    clock.forward(minutes=2)
    assert schedules.claim(counted.chore, Schedule.objects.get(), clock.now)
    schedules.settle_failed(counted.chore, late, "TooLate")
    assert (Schedule.objects.get().failure, Schedule.objects.get().is_held(clock.now)) == ("", True)


@pytest.mark.django_db
def test_a_chore_that_fails_is_named_by_its_fault_alone_and_keeps_no_other_from_its_turn(clock: Clock):
    bad, good = Counted("bad"), Counted("good")
    bad.fault = KeyError("+79161234567")
    with pytest.raises(KeyError):
        schedules.do_due([bad.chore, good.chore])
    assert schedules.do_due([bad.chore, good.chore]) == 1
    row = Schedule.objects.get(pk="bad")
    assert (row.failure, row.failed_at, row.succeeded_at) == ("KeyError", clock.now, None)
    bad.fault = None
    clock.forward(seconds=AGAIN_AFTER.seconds - 1)
    assert schedules.do_due([bad.chore]) == 0
    clock.forward(seconds=1)
    assert schedules.do_due([bad.chore]) == 1
    assert (Schedule.objects.get(pk="bad").failure, len(bad.times)) == ("", 1)


@pytest.mark.django_db
def test_a_clock_that_was_far_ahead_stops_no_chore(clock: Clock):
    counted = Counted(every=MINUTE)
    clock.forward(days=30)
    schedules.do_due([counted.chore])
    assert schedules.claim(counted.chore, Schedule.objects.get(), clock.now)  # killed, with a lease of the wrong time
    clock.forward(days=-30)
    assert schedules.do_due([counted.chore]) == 1


@pytest.mark.django_db
def test_staff_ask_for_a_chore_and_leave_evidence(clock: Clock):
    counted = Counted()
    schedules.do_due([counted.chore])
    schedules.ask_for("counted", actor=staff_actor())
    clock.forward(seconds=1)
    assert schedules.do_due([counted.chore]) == 1
    assert Event.objects.get(action=Action.ADMIN_ACTION).data == {"what": "chore.asked_for", "chore": "counted"}
    with pytest.raises(Schedule.DoesNotExist):
        schedules.ask_for("unknown", actor=staff_actor("masha"))
    assert timezone.now() == clock.now
