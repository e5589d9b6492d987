"""Work that a request queues and a worker carries out, as the person or program that asked, as they are by then.

A worker takes a lease, and runs the operation in one unit of work that ends by writing its result. A killed worker's
transaction is gone with all it did; when its lease runs out another one begins anew, so nothing is done twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor, ActorKind, acting
from accounts.models import ApiKey, Operation, OperationState, User
from accounts.services.unit_of_work import unit_of_work
from lk_site import metrics
from lk_site.answers import to_json
from lk_site.errors import DomainError, LimitReached, NotAllowed, ScopeMissing
from lk_site.problems import item_problem
from lk_site.tasks import messenger, task

log = logging.getLogger("lk.operations")

KEPT_FOR = timedelta(days=7)
OPEN_AT_MOST = 20  # of one person or program: nobody's queue keeps the others waiting …
OPEN_OF_AGENCY_AT_MOST = 60  # … nor do fifty keys of one agency: a worker does these in 17 s, at 0.28 s for 100 items
LEASE = timedelta(seconds=15)  # a worker that takes longer has the row locked, so nobody runs it beside him
ATTEMPTS_AT_MOST = 5
PAUSE = timedelta(seconds=5)  # after an attempt that broke
RETRY_AFTER_S = 1  # when to ask again what became of one


@dataclass(frozen=True)
class Runner:
    """How operations of one name are carried out: the scope that a key needs, and body and actor to the answer."""

    scope: str
    run: Callable[[str, Actor], bytes]


RUNNERS: dict[str, Runner] = {}  # by name; the app that holds the work puts its own here


class TooManyOperations(LimitReached):
    """So many wait already."""

    code = "too_many_operations"
    sentence = _("Too many operations are waiting. Ask again when some are done.")


class OurFault(DomainError):
    """It broke again and again, and each time nothing of it stayed."""

    code = "server_error"
    status = 500
    sentence = _("Something broke on our side. Nothing was saved. Try again.")


def queue_operation(name: str, request: str, *, actor: Actor, language: str) -> Operation:
    """Put what was asked into the queue; `request` is the body. Raises TooManyOperations."""
    if actor.agency_id is None or actor.id is None:
        raise NotAllowed
    if has_too_many(actor.agency_id, actor.id):
        raise TooManyOperations(RETRY_AFTER_S, TooManyOperations.sentence)
    now = timezone.now()
    operation = Operation(
        agency_id=actor.agency_id,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        name=name,
        request=request,
        language=language,
        address=actor.address,
        request_id=actor.request_id,
        created_at=now,
        due_at=now,
    )
    operation.save(force_insert=True)
    transaction.on_commit(partial(carry_out_named.enqueue, str(operation.pk)))
    return operation


def has_too_many(agency_id: UUID, actor_id: UUID) -> bool:
    """Tell whether so many of an actor's own operations wait, or of the agency's, that he may add none."""
    of_agency = Operation.objects.filter(agency_id=agency_id).open()
    return of_agency.count() >= OPEN_OF_AGENCY_AT_MOST or of_agency.filter(actor_id=actor_id).count() >= OPEN_AT_MOST


@task()
def carry_out_named(operation_id: str) -> int:
    """Carry out an operation by its id unless somebody does or did, and return how many there were."""
    return carry_out_claimed(claim(UUID(operation_id)))


def run_next() -> int:
    """Carry out the operation that has waited longest, and return how many there were: one or none."""
    return carry_out_claimed(claim())


def wait_and_run(wait_s: float) -> int:
    """Carry out what this worker is called to, or what it finds if it has to look, and return how many steps that was.

    None means that it looked, found nothing, and may pause before it looks again.
    """
    through = messenger()
    call = through.heard(wait_s)
    if call and call[0] == carry_out_named.module_path:
        return carry_out_named.call(*call[1])
    return run_next() if through.must_look else 1


def carry_out_claimed(operation: Operation | None) -> int:
    if operation is not None:
        carry_out(operation)
    return int(operation is not None)


def claim(operation_id: UUID | None = None) -> Operation | None:
    """Lease this operation if it is due, or the one that has waited longest, to this worker, and return it."""
    now, lease = timezone.now(), uuid4()
    due = Operation.objects.due(now).order_by("due_at", "id")
    if operation_id is not None:
        due = due.filter(pk=operation_id)
    if not due.exists():  # asked every second: no write lock for nothing
        return None
    with transaction.atomic():
        locked = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        operation = locked.first()
        if operation is None:
            return None
        operation.state, operation.lease, operation.leased_until = OperationState.RUNNING, lease, now + LEASE
        operation.started_at = operation.started_at or now
        operation.attempts += 1
        operation.save(update_fields=["state", "lease", "leased_until", "started_at", "attempts"])
    return operation


def carry_out(operation: Operation) -> None:
    """Run one operation that is leased to us, and write down what came of it."""
    if operation.attempts > ATTEMPTS_AT_MOST:  # it takes its workers with it
        settle_failed(operation, OurFault())
        return
    try:
        run(operation)
    except DomainError as refused:
        settle_failed(operation, refused)
    except Exception:
        log.exception("an operation broke", extra={"operation": str(operation.pk)})
        put_off(operation)


@unit_of_work
def run(operation: Operation) -> None:
    """Do what was asked and write its result, in one unit of work, unless another worker has it by now."""
    if not is_ours(operation):
        return
    actor, runner = actor_of(operation), RUNNERS[operation.name]
    if actor.is_key and runner.scope not in actor.scopes:
        raise ScopeMissing([runner.scope])
    with acting(actor), translation.override(operation.language or None):
        answer = runner.run(operation.request or "", actor)
    settle(operation, OperationState.DONE, answer)


def is_ours(operation: Operation) -> bool:
    """Tell whether the lease is still this worker's, and lock the row: nobody takes it while we run."""
    mine = Operation.objects.filter(pk=operation.pk, lease=operation.lease, state=OperationState.RUNNING)
    return bool(mine.select_for_update(no_key=True).values_list("pk"))


def actor_of(operation: Operation) -> Actor:
    """Return who asked, as they are now. Raises NotAllowed for a person or a key that has ended or moved since."""
    address, request_id = operation.address, operation.request_id
    if operation.actor_kind == ActorKind.KEY:
        key = ApiKey.objects.live(timezone.now()).filter(pk=operation.actor_id, agency__closed_at=None).first()
        if key is None:
            raise NotAllowed
        return Actor.of_key(key, address=address, request_id=request_id)
    people = User.objects.agents().active().select_related("agency").filter(agency_id=operation.agency_id)
    user = people.filter(pk=operation.actor_id).first()
    if user is None:
        raise NotAllowed
    return Actor.of(user, address=address, request_id=request_id)


def settle(operation: Operation, state: OperationState, result: bytes) -> None:
    """Write the end of an operation, and erase what was asked."""
    operation.state, operation.result, operation.request = state, result.decode(), None
    operation.lease, operation.leased_until, operation.done_at = None, None, timezone.now()
    operation.save(update_fields=["state", "result", "request", "lease", "leased_until", "done_at"])
    metrics.OPERATIONS.add(state.value)


@unit_of_work
def settle_failed(operation: Operation, refused: DomainError) -> None:
    """Give an operation up for good, if it is still ours; nothing of it was done."""
    if is_ours(operation):
        with translation.override(operation.language or None):
            settle(operation, OperationState.FAILED, to_json(item_problem(refused, "")))


def put_off(operation: Operation) -> None:
    """Let an operation whose attempt broke wait before its next one."""
    mine = Operation.objects.filter(pk=operation.pk, lease=operation.lease)
    mine.update(state=OperationState.QUEUED, lease=None, leased_until=None, due_at=timezone.now() + PAUSE)
    metrics.OPERATIONS.add("broken")


def sweep(now: datetime) -> None:
    """Delete operations that are kept no longer."""
    Operation.objects.filter(created_at__lt=now - KEPT_FOR).delete()
