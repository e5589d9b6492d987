"""Deals: created for a client who is found or made on the way, edited, thrown away and brought back."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypedDict, Unpack, cast
from uuid import UUID

from django.db.models import CharField, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, User
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import (
    COMMISSION_AT_MOST,
    PRICE_AT_LEAST,
    PRICE_AT_MOST,
    Client,
    ClientPhone,
    Deal,
    DealCounter,
    DealKind,
    Stage,
)
from deals.services import clients
from deals.services.deal_rows import ANY_AGENCY, ANY_NUMBER, ANY_USER, Tuples
from deals.services.permissions import may
from lk_site import hot_writes
from lk_site.errors import FieldError, Invalid
from lk_site.hot_reads import Compiled, Param
from lk_site.text import fold

EDITABLE = ("property_address", "price", "property_type", "commission_percent", "next_step", "notes")

COLUMNS_OF = {
    "property_address": ("property_address", "search_text"),
    "next_step": ("next_step_text", "next_step_on"),
}


class NextStep(TypedDict):
    """What the agent will do next, and when."""

    text: str
    due_on: date


class Terms(TypedDict, total=False):
    """What may also be said of a deal when it is created."""

    property_type: str | None
    commission_percent: Decimal | None
    next_step: NextStep | None
    notes: str | None


@unit_of_work
def create_deal(
    *,
    property_address: str,
    price: Decimal,
    actor: Actor,
    client: UUID | None = None,
    client_phone: str | None = "",
    client_name: str | None = None,
    kind: str = DealKind.SALE,
    agent: UUID | None = None,
    **terms: Unpack[Terms],
) -> Deal:
    """Create a deal of the actor, or, where a program asks, of the `agent` it names.

    It begins in the first stage of its kind's pipeline. It is for the agent's own `client`, or for whoever has
    `client_phone` (digits with country code): a live client is taken, a trashed one of the same name comes back, else
    one is created. Raises ClientExists if the taken one has another name, Invalid for a client that is not the agent's,
    for none or two ways to name him, for an agent who cannot be named, and for a price or a percentage that cannot be.
    """
    refuse_two_clients(client, client_phone, client_name)
    refuse_out_of_range({"price": price, **terms})
    owner = clients.agent_for(actor, agent)
    stage, now = lock_agent_for(owner, kind), timezone.now()
    person = named_client(client, owner) if client else client_for(client_phone, client_name, owner, actor=actor)
    deal = Deal(agency_id=clients.agency_of(owner), agent=owner, client=person, kind=kind, stage=stage)
    deal.created_at = deal.updated_at = deal.stage_since = now
    for field, value in {"property_address": property_address, "price": price, **terms}.items():
        put(deal, field, value)
    raise_newest_deal(person, deal)
    deal.number = DealCounter.take(deal.agency_id)
    hot_writes.insert(deal)
    record(actor, Action.DEAL_CREATED, deal, now=stage.code)
    return deal


@unit_of_work
def edit_deal(deal_id: UUID, changes: Mapping[str, Any], *, actor: Actor, version: int | None) -> Deal:
    """Change the fields named in `changes` (of EDITABLE); values equal to the old ones change nothing.

    Raises Deal.DoesNotExist, NotAllowed, VersionRequired, Stale, Invalid.
    """
    deal = Deal.objects.visible_to(actor).lock(deal_id)
    may(actor, Action.DEAL_CHANGED, deal)
    deal.require_version(version)
    refuse_out_of_range(changes)
    changed = [field for field in EDITABLE if field in changes and put(deal, field, changes[field])]
    if not changed:
        return deal
    deal.save_changes(*(column for field in changed for column in columns_of(field)))
    record(actor, Action.DEAL_CHANGED, deal, fields=changed)
    return deal


@unit_of_work
def trash_deal(deal_id: UUID, *, actor: Actor, version: int | None) -> Deal:
    """Move a deal to the trash, from where it is purged in 30 days. Raises Deal.DoesNotExist, NotAllowed, Stale."""
    deal = Deal.objects.visible_to(actor).lock(deal_id)
    may(actor, Action.DEAL_TRASHED, deal)
    deal.require_version(version)
    deal.deleted_at = timezone.now()
    deal.save_changes("deleted_at")
    record(actor, Action.DEAL_TRASHED, deal)
    return deal


@unit_of_work
def restore_deal(deal_id: UUID, *, actor: Actor, version: int | None) -> Deal:
    """Bring a deal back from the trash, and with it its client, if he was thrown away after it.

    Raises Deal.DoesNotExist, NotAllowed, Stale, and ClientExists if another client has the client's number now.
    """
    client = lock_client_of(deal_id, actor)
    deal = Deal.objects.trashed_visible_to(actor).lock(deal_id)
    may(actor, Action.DEAL_RESTORED, deal)
    deal.require_version(version)
    if client.deleted_at is not None:
        clients.bring_back(client, actor=actor)
    deal.deleted_at, deal.client = None, client
    deal.save_changes("deleted_at")
    record(actor, Action.DEAL_RESTORED, deal)
    return deal


# --- the agent, the client, the number


def agent_and_first_stage() -> Tuples:
    stages = Stage.objects.of_kind(cast(Any, ANY_AGENCY), cast(Any, Param("kind", CharField()))).as_json()
    still_there = User.objects.filter(pk=ANY_USER, agency_id=ANY_AGENCY).select_for_update(no_key=True)
    return cast(Tuples, still_there.values_list(Subquery(stages[:1])))


def numbers_of_agent() -> Tuples:
    numbers = ClientPhone.objects.filter(agency_id=ANY_AGENCY, agent_id=ANY_USER, phone_index=ANY_NUMBER)
    return numbers.order_by().cells("id")


LOCKED_AGENT, NUMBER_OF_AGENT = Compiled(agent_and_first_stage), Compiled(numbers_of_agent)


def lock_agent_for(agent: User, kind: str) -> Stage:
    """Lock the agent, and return the first stage of his agency's pipeline for this kind: both in one statement.

    Raises User.DoesNotExist for one who has just moved to another agency.
    """
    locked = LOCKED_AGENT.rows(user=agent.pk, agency=clients.agency_of(agent), kind=kind)
    if not locked:
        raise User.DoesNotExist
    return Stage.from_json(locked[0][0])


def client_for(phone: str | None, name: str | None, agent: User, *, actor: Actor) -> Client:
    """Return whom a new deal is for, locked. The agent is locked already. Raises ClientExists, Invalid."""
    if not phone:
        raise Invalid.at("client_phone", "required", _("Write the client's phone."))
    client = client_with(phone, agent)
    if client is None or (client.deleted_at is not None and has_other_name(client, name)):
        return clients.add_client(agent, [phone], name=name, actor=actor)
    if has_other_name(client, name):
        raise clients.ClientExists(client)
    if client.deleted_at is not None:
        clients.bring_back(client, actor=actor)
    if name and not client.name:
        clients.give_name(client, name, actor=actor)
    return client


def named_client(client_id: UUID, agent: User) -> Client:
    """Return the agent's own live client of this id, locked. Raises Invalid for any other."""
    try:
        return Client.objects.filter(agent=agent, deleted_at=None).lock(client_id)
    except Client.DoesNotExist:
        raise Invalid.at("client", "client_unknown", _("This agent has no such client.")) from None


def client_with(phone: str, agent: User) -> Client | None:
    """Return the agent's client with this number, locked: the live one, or else the one thrown away last.

    Most numbers are new, which is asked first: while the agent is locked they stay so.
    """
    agency_id = clients.agency_of(agent)
    indexes = ClientPhone.indexes_of(agency_id, phone)
    if not any(NUMBER_OF_AGENT.row(agency=agency_id, user=agent.pk, phone_index=index) for index in indexes):
        return None
    rows = ClientPhone.objects.with_numbers(agency_id, [phone]).filter(agent=agent)
    newest_first = rows.select_related("client").order_by("-is_live", "-client__deleted_at")
    row = newest_first.select_for_update(of=("client",), no_key=True).first()
    return row.client if row else None


def has_other_name(client: Client, name: str | None) -> bool:
    """Tell whether somebody else is meant; who has no name yet may get one."""
    return bool(name and client.name) and fold(name or "") != fold(client.name or "")


def raise_newest_deal(client: Client, deal: Deal) -> None:
    """Let the client stand in lists where his newest deal puts him."""
    if client.newest_deal_at < deal.created_at:
        client.newest_deal_at = deal.created_at
        Client.objects.filter(pk=client.pk).update(newest_deal_at=deal.created_at)


def lock_client_of(deal_id: UUID, actor: Actor) -> Client:
    """Lock the client of a trashed deal, and his agent before him. Raises Deal.DoesNotExist."""
    trashed = Deal.objects.trashed_visible_to(actor).values_list("agent_id", "client_id")
    agent_id, client_id = trashed.get(pk=deal_id)
    clients.lock_agents(agent_id)
    return Client.objects.lock(client_id)


def refuse_two_clients(client: UUID | None, phone: str | None, name: str | None) -> None:
    """Raise Invalid where whom a deal is for is said twice."""
    if client and (phone or name):
        raise Invalid.at("client", "client_or_phone", _("Name a known client, or a phone and a name, not both."))


# --- fields


def refuse_out_of_range(fields: Mapping[str, Any]) -> None:
    """Raise Invalid for a price or a percentage that cannot be."""
    price, percent, errors = fields.get("price"), fields.get("commission_percent"), []
    if price is not None and not PRICE_AT_LEAST <= price <= PRICE_AT_MOST:
        sentence = _("A price is more than 0 and less than a trillion roubles.")
        errors.append(FieldError("price", "out_of_range", sentence))
    if percent is not None and not 0 <= percent <= COMMISSION_AT_MOST:
        errors.append(FieldError("commission_percent", "out_of_range", _("A commission is 0 to 100 %.")))
    if errors:
        raise Invalid(errors=errors)


def put(deal: Deal, field: str, value: Any) -> bool:
    """Set a field if the value is another one, and tell whether it was."""
    if field == "next_step":
        was = (deal.next_step_text, deal.next_step_on)
        step = merged_step(was, value) if value is not None else (None, None)
        deal.next_step_text, deal.next_step_on = step
        return step != was
    if field == "notes":
        value = value or None
    elif field == "property_type":
        value = value or ""
    if value == getattr(deal, field):
        return False
    if field == "property_address":
        deal.set_address(value)
    else:
        setattr(deal, field, value)
    return True


def merged_step(was: tuple[str | None, date | None], sent: Mapping[str, Any]) -> tuple[str, date]:
    """Return the next step with the parts that were sent put in. Raises Invalid for half of one."""
    text, due_on = sent.get("text", was[0]), sent.get("due_on", was[1])
    if not text:
        raise Invalid.at("/next_step/text", "required", _("Say what is to be done."))
    if due_on is None:
        raise Invalid.at("/next_step/due_on", "required", _("Say by when."))
    return text, due_on


def columns_of(field: str) -> tuple[str, ...]:
    """Return the columns that a field is stored in."""
    return COLUMNS_OF.get(field, (field,))
