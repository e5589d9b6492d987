"""`/deals/bulk` and `/clients/bulk`: up to a hundred single operations in one request, each by its own schema."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpResponse
from django.utils.translation import get_language
from ninja import Router
from pydantic import ValidationError

from accounts.actor import Actor, ActorRequest
from accounts.api.idempotent import idempotent
from accounts.api.operations import OperationOut, queued_answer, wants_async
from accounts.models import Scope
from accounts.services.operations import Runner, TooManyOperations, queue_operation
from deals.api.bulk_schemas import (
    AddNote,
    BulkIn,
    BulkOut,
    ClientBulkIn,
    CreateClient,
    CreateDeal,
    DealBulkIn,
    EditClient,
    EditDeal,
    HandOverDeal,
    MoveDeal,
    RestoreClient,
    RestoreDeal,
    TrashClient,
    TrashDeal,
)
from deals.models import Client, Deal
from deals.services import clients, deals, hand_over, notes, pipeline
from deals.services.bulk import Done, Outcome, Row, Step, run_bulk
from lk_site.answers import json_answer, to_json
from lk_site.deadlocks import Busy, begun_again
from lk_site.errors import Invalid
from lk_site.invalid import one_of, shape_errors
from lk_site.operations import can_be_queued, counts_as, needs, refuses
from lk_site.problems import item_problem
from lk_site.schemas import StrictSchema
from lk_site.strict_json import parse

ERRORS_AT_MOST = 5  # told of one item: the answer stays smaller than the request
MADE = 201

Kind = type[Deal] | type[Client]

router = Router(tags=["bulk"])


# --- what each `do` does


@dataclass(frozen=True)
class Deed:
    """One thing that an item may do: its schema, its service, and the status that the single operation answers."""

    schema: type[StrictSchema]
    service: Callable[[Any, Actor], Row]
    status: int = 200


def rest(item: StrictSchema, **how: Any) -> dict[str, Any]:
    """Return what an item says beside which row it is about."""
    return item.model_dump(exclude_unset=True, exclude={"do", "id", "version"}, **how)


DEEDS: dict[Kind, dict[str, Deed]] = {
    Deal: {
        "create": Deed(CreateDeal, lambda it, actor: deals.create_deal(**rest(it), actor=actor), 201),
        "edit": Deed(EditDeal, lambda it, actor: deals.edit_deal(it.id, rest(it), actor=actor, version=it.version)),
        "move": Deed(
            MoveDeal,
            lambda it, actor: pipeline.move_deal(it.id, **rest(it, exclude_none=True), actor=actor, version=it.version),
        ),
        "trash": Deed(TrashDeal, lambda it, actor: deals.trash_deal(it.id, actor=actor, version=it.version), 204),
        "restore": Deed(RestoreDeal, lambda it, actor: deals.restore_deal(it.id, actor=actor, version=it.version)),
        "hand_over": Deed(
            HandOverDeal,
            lambda it, actor: hand_over.hand_over_deal(it.id, it.agent, actor=actor, version=it.version),
        ),
        "add_note": Deed(AddNote, lambda it, actor: notes.add_note(it.id, it.text, actor=actor), 201),
    },
    Client: {
        "create": Deed(CreateClient, lambda it, actor: clients.create_client(**rest(it), actor=actor), 201),
        "edit": Deed(
            EditClient, lambda it, actor: clients.edit_client(it.id, rest(it), actor=actor, version=it.version)
        ),
        "trash": Deed(TrashClient, lambda it, actor: clients.trash_client(it.id, actor=actor, version=it.version), 204),
        "restore": Deed(
            RestoreClient, lambda it, actor: clients.restore_client(it.id, actor=actor, version=it.version)
        ),
    },
}


# --- the doors


@router.post("/deals/bulk", response={200: BulkOut, 202: OperationOut})
@needs(Scope.DEALS_WRITE)
@refuses(Busy, TooManyOperations)
@counts_as("bulk")
@can_be_queued
@begun_again
@idempotent()
def bulk_deals(request: ActorRequest, payload: DealBulkIn) -> HttpResponse:
    """Do up to 100 things with deals: each as its single operation does it, refused alone unless `atomic`.

    With `Prefer: respond-async` the answer is 202, and `GET /operations/{operation_id}` tells what became of it.
    """
    return now_or_later(request, "deals.bulk", payload, Deal)


@router.post("/clients/bulk", response={200: BulkOut, 202: OperationOut})
@needs(Scope.CLIENTS_WRITE)
@refuses(Busy, TooManyOperations)
@counts_as("bulk")
@can_be_queued
@begun_again
@idempotent()
def bulk_clients(request: ActorRequest, payload: ClientBulkIn) -> HttpResponse:
    """Do up to 100 things with clients: each as its single operation does it, refused alone unless `atomic`.

    With `Prefer: respond-async` the answer is 202, and `GET /operations/{operation_id}` tells what became of it.
    """
    return now_or_later(request, "clients.bulk", payload, Client)


def now_or_later(request: ActorRequest, name: str, payload: BulkIn, kind: Kind) -> HttpResponse:
    if not wants_async(request):
        return json_answer(done(payload, kind, request.actor))
    operation = queue_operation(name, request.body.decode(), actor=request.actor, language=get_language() or "")
    return queued_answer(operation)


def done(payload: BulkIn, kind: Kind, actor: Actor) -> dict[str, Any]:
    """Do the items, and return what became of them as `BulkOut` says, in the language in force."""
    steps = [step_of(item, kind) for item in payload.items]
    made = run_bulk(steps, actor=actor, atomic=payload.atomic, dry_run=payload.dry_run)
    rows = zip(payload.items, made.outcomes, strict=True)
    items = [row_of(place, item, outcome, made, kind) for place, (item, outcome) in enumerate(rows)]
    return {"items": items, "committed": made.is_committed}


def step_of(item: dict[str, Any], kind: Kind) -> Step:
    """Return what an item asks for, or why its shape says nothing that can be done."""
    do = item.get("do")
    deed = DEEDS[kind].get(do) if isinstance(do, str) else None
    if deed is None:
        code = "unknown" if "do" in item else "required"
        return Step(kind, refusal=Invalid.at("do", code, one_of(DEEDS[kind])))
    try:
        parsed: Any = deed.schema.model_validate(item)
    except ValidationError as wrong:
        return Step(kind, refusal=Invalid(errors=shape_errors(wrong)[:ERRORS_AT_MOST]))
    subject, client, agent = (getattr(parsed, name, None) for name in ("id", "client", "agent"))
    return Step(kind, partial(deed.service, parsed), subject=subject, client=client, agent=agent)


def row_of(place: int, item: dict[str, Any], outcome: Outcome, made: Done, kind: Kind) -> dict[str, Any]:
    """Return what became of one item as `BulkRow` says: no personal data, so an answer may be kept and replayed."""
    if outcome.refusal:
        problem = item_problem(outcome.refusal, f"/items/{place}")
        subject = outcome.step.subject
        return {"index": place, "status": problem["status"], "id": subject, "version": None, "problem": problem}
    status, row = DEEDS[kind][item["do"]].status, outcome.row
    assert row is not None
    shown = row.pk if made.is_committed or status != MADE else None
    version = getattr(row, "version", None)
    return {"index": place, "status": status, "id": shown, "version": version, "problem": None}


# --- for the worker


def run_later(text: str, kind: Kind, schema: type[BulkIn], actor: Actor) -> bytes:
    """Do what a request asked for that was queued, and return the answer."""
    return to_json(done(schema.model_validate(parse(text.encode())), kind, actor))


RUNNERS = {
    "deals.bulk": Runner(Scope.DEALS_WRITE, lambda text, actor: run_later(text, Deal, DealBulkIn, actor)),
    "clients.bulk": Runner(Scope.CLIENTS_WRITE, lambda text, actor: run_later(text, Client, ClientBulkIn, actor)),
}
