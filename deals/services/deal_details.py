"""One deal with all that its detail says: one prepared statement, where this hour's look at the client is recorded."""

from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.db.models import DateTimeField, Exists, OuterRef

from accounts.actor import Actor
from accounts.models import Action
from deals.models import Client, Deal, Look
from deals.services.deal_rows import ANY_USER, ANYBODY, COLUMNS, DealRow, Tuples, opened, row_columns, sealed_field
from deals.services.looks import take_look, this_hour
from deals.services.permissions import may_ask
from lk_site.encryption import Cell
from lk_site.hot_reads import Compiled, Param

MORE_COLUMNS = ("notes", "client__agency_id", "client__agent_id", "is_looked_at")


class DealDetail(NamedTuple):
    """A deal as its detail shows it; `phone` is the main number in clear, None where only the mask is shown."""

    row: DealRow
    phone: str | None
    notes: str


def compiled_detail(is_head: bool) -> Compiled:
    """Return the compiled read of one deal that an actor sees, `visible_to` included."""

    def build() -> Tuples:
        looks = Look.objects.filter(
            client_id=OuterRef("client_id"), user_id=ANY_USER, hour=Param("hour", DateTimeField())
        )
        deals = Deal.objects.visible_to(ANYBODY[is_head]).filter(pk=Param("id", Deal._meta.pk))
        return row_columns(deals.annotate(is_looked_at=Exists(looks)), *MORE_COLUMNS)

    return Compiled(build)


DETAIL = {is_head: compiled_detail(is_head) for is_head in ANYBODY}


def read_deal(deal_id: UUID, *, actor: Actor) -> DealDetail:
    """Return a deal that the actor sees. To the client's own agent the number is shown, and that is recorded.

    Raises Deal.DoesNotExist.
    """
    row, notes, client, hour, is_looked_at = find_deal(deal_id, actor)
    is_open = may_ask(actor, Action.CLIENT_LOOKED_AT, client) and (is_looked_at or take_look(client, hour, actor=actor))
    return DealDetail(row, row.client_phone if is_open else None, notes)


def read_masked_deal(deal_id: UUID, *, actor: Actor) -> DealDetail:
    """Return a deal that the actor sees, with the mask alone: nobody looks. Raises Deal.DoesNotExist."""
    found = find_deal(deal_id, actor)
    return DealDetail(found.row, None, found.notes)


class Found(NamedTuple):
    """A deal as it was read, and whether this person looked at its client in this hour."""

    row: DealRow
    notes: str
    client: Client  # no more of him than who he belongs to
    hour: datetime
    is_looked_at: bool


def find_deal(deal_id: UUID, actor: Actor) -> Found:
    """Read a deal in one statement. Raises Deal.DoesNotExist."""
    hour = this_hour()
    found = DETAIL[actor.is_head].row(id=deal_id, agency=actor.agency_id, user=actor.user_id, hour=hour)
    if found is None:
        raise Deal.DoesNotExist
    row = DealRow._make(found[: len(COLUMNS)])
    cell, agency_id, agent_id, is_looked_at = cast(tuple[Cell | None, UUID, UUID, Any], found[len(COLUMNS) :])
    client = Client.from_db("default", ("id", "agency_id", "agent_id"), (row.client_id, agency_id, agent_id))
    return Found(row, opened(cell, sealed_field(Deal, "notes"), row.id), client, hour, bool(is_looked_at))
