"""Deals: lists, one deal, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict

from lk_client.calls import UNSET, Answer, Call, Listing, Unset, given, money, path
from lk_client.models import Deal, DealItem
from lk_client.operations.references import AgentRef, ClientRef, DealRef, id_of, optional_id, version_of
from lk_client.operations.selecting import Names, Several, listing, row, selection
from lk_client.reading import one

if TYPE_CHECKING:
    from typing_extensions import Unpack

Money = Decimal | int | str
NextStepGiven = tuple[str, "date | str"]


class DealFilter(TypedDict, total=False):
    """What a list of deals can be asked for: several values of one mean *or*, different ones mean *and*."""

    status: Several
    stage: Several
    kind: Several
    agent: AgentRef | Sequence[AgentRef] | None
    client: ClientRef | Sequence[ClientRef] | None
    client_phone: Several
    q: str | None
    price_min: Money | None
    price_max: Money | None
    created_from: date | datetime | None
    created_to: date | datetime | None
    updated_after: datetime | None
    trashed: bool | None
    limit: int | None


def list_deals(**filters: Unpack[DealFilter]) -> Listing[DealItem]:
    """List deals, newest first; `limit` is the length of a page."""
    return listing(DealItem, path("deals", ""), filters)


def list_deal_rows(
    *, fields: Names = None, expand: Names = None, **filters: Unpack[DealFilter]
) -> Listing[Mapping[str, Any]]:
    """List deals as plain dicts with only the `fields` named, and things whole that `expand` names."""
    return listing(None, path("deals", ""), {**filters, **selection(fields, expand)})


def get_deal(deal: DealRef) -> Call[Deal]:
    return Call("GET", path("deals", id_of(deal)), one(Deal))


def get_deal_row(deal: DealRef, *, fields: Names = None, expand: Names = None) -> Call[Mapping[str, Any]]:
    """Get a deal as a plain dict with only the `fields` named, and things whole that `expand` names."""
    return row(path("deals", id_of(deal)), fields, expand)


def create_deal(
    *,
    agent: AgentRef,
    property_address: str,
    price: Money,
    client: ClientRef | None = None,
    client_phone: str | None = None,
    client_name: str | None = None,
    kind: str = "sale",
    property_type: str | None = None,
    commission_percent: Money | None = None,
    next_step: NextStepGiven | None = None,
    notes: str | None = None,
    idempotency_key: str | None = None,
) -> Call[Deal]:
    """Create a deal of an agent, for a `client` who is there or for whoever has this phone. `next_step`: what, when.

    Raises ClientExists where the phone belongs to a client of another name.
    """
    body = {
        "agent": id_of(agent),
        "property_address": property_address,
        "price": money(price),
        "client": optional_id(client),
        "client_phone": client_phone,
        "client_name": client_name,
        "kind": kind,
        "property_type": property_type,
        "commission_percent": money(commission_percent),
        "next_step": next_step_of(next_step),
        "notes": notes,
    }
    sent = {name: value for name, value in body.items() if value is not None}
    return Call("POST", path("deals", ""), one(Deal), body=sent, takes_key=True, idempotency_key=idempotency_key)


def edit_deal(
    deal: DealRef,
    *,
    version: int | None = None,
    property_address: str | Unset = UNSET,
    price: Money | Unset = UNSET,
    property_type: str | Unset | None = UNSET,
    commission_percent: Money | Unset | None = UNSET,
    next_step: NextStepGiven | Unset | None = UNSET,
    notes: str | Unset | None = UNSET,
    idempotency_key: str | None = None,
) -> Call[Deal]:
    """Change the fields that are given; `None` empties one. Raises Stale for an older version."""
    body = given(
        property_address=property_address,
        price=money(price),
        property_type=property_type,
        commission_percent=money(commission_percent),
        next_step=next_step if isinstance(next_step, Unset) else next_step_of(next_step),
        notes=notes,
    )
    return changing(deal, "", body, version=version, idempotency_key=idempotency_key, method="PATCH")


def trash_deal(deal: DealRef, *, version: int | None = None) -> Call[int | None]:
    """Move a deal to the trash; return its version there, which `restore_deal` wants.

    That is None where the answer was lost and the repeat found the deal gone.
    """
    return Call("DELETE", path("deals", id_of(deal)), Answer.version, version=version_of(deal, version))


def restore_deal(deal: DealRef, *, version: int | None = None, idempotency_key: str | None = None) -> Call[Deal]:
    """Bring a deal back from the trash."""
    return changing(deal, "restore", None, version=version, idempotency_key=idempotency_key)


def move_deal(
    deal: DealRef,
    to: str,
    *,
    version: int | None = None,
    lost_reason: str | None = None,
    comment: str | None = None,
    idempotency_key: str | None = None,
) -> Call[Deal]:
    """Move a deal to the stage with this code; a lost one needs the code of a reason."""
    said = {"to": to, "lost_reason": lost_reason, "comment": comment}
    body = {name: value for name, value in said.items() if value is not None}
    return changing(deal, "stage-moves", body, version=version, idempotency_key=idempotency_key)


def undo_move(deal: DealRef, *, version: int | None = None, idempotency_key: str | None = None) -> Call[Deal]:
    """Take back the key's own last move, within ten minutes."""
    return changing(deal, "stage-moves/undo", None, version=version, idempotency_key=idempotency_key)


def hand_over_deal(
    deal: DealRef, agent: AgentRef, *, version: int | None = None, idempotency_key: str | None = None
) -> Call[Deal]:
    """Give a deal to another agent of the agency."""
    body = {"agent": id_of(agent)}
    return changing(deal, "hand-over", body, version=version, idempotency_key=idempotency_key)


def changing(
    deal: DealRef,
    action: str,
    body: Mapping[str, Any] | None,
    *,
    version: int | None,
    idempotency_key: str | None,
    method: str = "POST",
) -> Call[Deal]:
    """Return the call that changes a deal and answers it."""
    return Call(
        method,
        path("deals", id_of(deal), *(action.split("/") if action else ())),
        one(Deal),
        body=body,
        version=version_of(deal, version),
        takes_key=True,
        idempotency_key=idempotency_key,
    )


def next_step_of(step: NextStepGiven | None) -> dict[str, Any] | None:
    return None if step is None else {"text": step[0], "due_on": step[1]}
