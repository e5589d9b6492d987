"""Many operations in one request: each through the service of the single one, all of them in one unit of work.

One transaction holds the whole, also where an item that is refused does not undo the others: whoever has no answer,
because a worker was killed or the line broke, knows that nothing was done. Its rows are locked first, in the order in
which every service locks, so that two of these over the same rows wait for each other and never deadlock.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import User
from accounts.services import evidence
from accounts.services.unit_of_work import unit_of_work
from deals.models import Client, Deal, Note
from lk_site.errors import DomainError

ITEMS_AT_MOST = 100  # of one request
REFUSED_SIGHT = (403, 404)

Row = Deal | Client | Note


class NotDone(DomainError):
    """Nothing was wrong with this item: another one undid it."""

    code = "not_done"
    status = 424
    sentence = _("Another item was refused, so this one was not done.")


class NotFound(DomainError):
    """The row of an item is absent, or not the actor's: the same answer."""

    code = "not_found"
    status = 404
    sentence = _("There is nothing here that you may see.")


class Step(NamedTuple):
    """One item: what to do, or why that cannot even be tried; and the rows that it is known to be about."""

    kind: type[Deal] | type[Client]
    do: Callable[[Actor], Row] | None = None
    refusal: DomainError | None = None
    subject: UUID | None = None  # the row of that kind; none where one is created
    client: UUID | None = None
    agent: UUID | None = None


class Outcome(NamedTuple):
    """What became of one item: its row, or the refusal."""

    step: Step
    row: Row | None
    refusal: DomainError | None


class Done(NamedTuple):
    """What became of every item, in the order of the items, and whether what could be done was kept."""

    outcomes: list[Outcome]
    is_committed: bool


class Undone(Exception):
    """What was done is taken back."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


@unit_of_work
def run_bulk(steps: Sequence[Step], *, actor: Actor, atomic: bool = False, dry_run: bool = False) -> Done:
    """Do the steps one after another, each in a unit of its own, and return what became of each.

    `atomic`: one refusal undoes them all. `dry_run`: all is tried and undone. What is refused for want of sight or
    permission leaves evidence either way, as the single operation does.
    """
    try:
        done = Done(tried(steps, actor, atomic=atomic, dry_run=dry_run), is_committed=True)
    except Undone as undone:
        done = Done(undone.outcomes, is_committed=False)
    record_refusals(done.outcomes, actor)
    return done


@unit_of_work
def tried(steps: Sequence[Step], actor: Actor, *, atomic: bool, dry_run: bool) -> list[Outcome]:
    """Do every step. Raises Undone where nothing of it is to stay."""
    lock_rows(steps, actor)
    outcomes = [attempt(step, actor) for step in steps]
    if atomic and any(outcome.refusal for outcome in outcomes):
        raise Undone([not_done(outcome) for outcome in outcomes])
    if dry_run:
        raise Undone(outcomes)
    return outcomes


def attempt(step: Step, actor: Actor) -> Outcome:
    """Do one step. Its service is a unit of work, so a refusal undoes it alone."""
    if step.do is None:
        return Outcome(step, None, step.refusal)
    try:
        return Outcome(step, step.do(actor), None)
    except ObjectDoesNotExist:
        return Outcome(step, None, NotFound())
    except DomainError as refused:
        return Outcome(step, None, refused)


def not_done(outcome: Outcome) -> Outcome:
    return outcome if outcome.refusal else outcome._replace(row=None, refusal=NotDone())


def lock_rows(steps: Iterable[Step], actor: Actor) -> None:
    """Lock what the steps are about before the first of them: agents, then clients, then deals, each by their ids.

    A transaction that has many rows to change would otherwise take a client after a deal, or the agency's counter of
    deals before both, and meet another one halfway.
    """
    deals = Deal.objects.of_actor(actor).filter(pk__in=known(step.subject for step in steps if step.kind is Deal))
    client_ids = known(step.subject for step in steps if step.kind is Client) | known(step.client for step in steps)
    client_ids |= set(deals.values_list("client_id", flat=True))
    clients = Client.objects.of_actor(actor).filter(pk__in=client_ids)
    agent_ids = known(step.agent for step in steps) | known([actor.user_id])
    agent_ids |= {*deals.values_list("agent_id", flat=True), *clients.values_list("agent_id", flat=True)}
    locked: tuple[QuerySet[Any], ...] = (User.objects.visible_to(actor).filter(pk__in=agent_ids), clients, deals)
    for rows in locked:
        list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def known(ids: Iterable[UUID | None]) -> set[UUID]:
    return {one for one in ids if one is not None}


def record_refusals(outcomes: Iterable[Outcome], actor: Actor) -> None:
    """Leave evidence of the rows that were refused, in one order whatever the order of the items."""
    refused = {
        (step.subject, step.kind)
        for step, _row, refusal in outcomes
        if step.subject and refusal and refusal.status in REFUSED_SIGHT
    }
    for subject, kind in sorted(refused, key=lambda one: one[0]):
        evidence.refused(actor, kind._meta.model_name or "", subject)
