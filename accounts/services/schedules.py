"""Chores of all workers together: each is done by one of them when its time has come.

A worker takes a chore by one conditional UPDATE of its row, works outside any transaction of ours, and settles it by
the lease. A killed worker's lease runs out and another one begins anew, so a chore must bear to be cut off anywhere.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Schedule
from accounts.services.unit_of_work import record, unit_of_work

log = logging.getLogger("lk.chores")

AGAIN_AFTER = timedelta(minutes=1)  # what a chore that failed waits, if it is not due earlier


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that is done every so often, the first time at once; `lease` is longer than it ever takes."""

    name: str
    every: timedelta
    do: Callable[[datetime], object]
    lease: timedelta = timedelta(minutes=1)


def do_due(chores: Iterable[Chore]) -> int:
    """Do those that are due and that nobody is at, and return how many. Raises what the first one raises that fails."""
    rows = rows_of(chores)
    return sum(do_if_due(chore, rows[chore.name]) for chore in chores)


def rows_of(chores: Iterable[Chore]) -> dict[str, Schedule]:
    """Return the rows of all chores by name; one that is new has one from now on."""
    rows, now = Schedule.objects.in_bulk(), timezone.now()
    if new := [Schedule(name=chore.name, due_at=now) for chore in chores if chore.name not in rows]:
        Schedule.objects.bulk_create(new, ignore_conflicts=True)
        rows = Schedule.objects.in_bulk()
    return rows


def do_if_due(chore: Chore, row: Schedule) -> bool:
    """Do a chore if it is due and nobody else takes it, and return whether it was ours."""
    now = timezone.now()
    lease = claim(chore, row, now) if row.is_due(now, chore.every, chore.lease) else None
    if lease is None:
        return False
    try:
        chore.do(now)
    except Exception as fault:
        settle_failed(chore, lease, type(fault).__name__)
        raise
    settle(lease, due_at=now + chore.every, succeeded_at=timezone.now(), failure="")
    log.debug("done", extra={"chore": chore.name})
    return True


def claim(chore: Chore, row: Schedule, now: datetime) -> UUID | None:
    """Take a chore as it was seen; whoever is second finds it changed and gets nothing."""
    lease, seen = uuid4(), Schedule.objects.filter(pk=row.pk, due_at=row.due_at, lease=row.lease)
    is_ours = seen.update(lease=lease, leased_until=now + chore.lease, started_at=now)
    return lease if is_ours else None


def settle_failed(chore: Chore, lease: UUID, failure: str) -> None:
    now = timezone.now()
    settle(lease, due_at=now + min(chore.every, AGAIN_AFTER), failed_at=now, failure=failure)


def settle(lease: UUID, **came_of_it: object) -> None:
    """Write down what came of a chore, if the lease is still this worker's."""
    Schedule.objects.filter(lease=lease).update(lease=None, leased_until=None, **came_of_it)


@unit_of_work
def ask_for(name: str, *, actor: Actor) -> None:
    """Let a chore be due now; one that a worker is at is done again afterwards. Raises Schedule.DoesNotExist."""
    if not Schedule.objects.filter(pk=name).update(due_at=timezone.now()):
        raise Schedule.DoesNotExist
    record(actor, Action.ADMIN_ACTION, what="chore.asked_for", chore=name)
