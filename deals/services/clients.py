"""Clients: each belongs to one agent, and none of his other live clients has the same number."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, User
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import PHONES_AT_MOST, Client, ClientPhone, ClientToken, Deal
from deals.services.permissions import may
from lk_site import hot_writes
from lk_site.encryption import Unreadable, last4_token, name_tokens
from lk_site.errors import Clash, FieldError, Invalid

EDITABLE = ("name", "phones", "email", "notes")
PHONE_TWICE = _("This number stands here twice. Remove one.")


class ClientExists(Clash):
    """Another client of this agent has the number. `existing` is that client; the answer names only its id."""

    code = "client_exists"
    sentence = _("There is already a client with this number. Take that one, or check the number.")
    facts = {"client": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"}

    def __init__(self, existing: Client) -> None:
        super().__init__(client=str(existing.pk))
        self.existing = existing


class ClientHasDeals(Clash):
    """A client whom somebody works for stays."""

    code = "client_has_deals"
    sentence = _("This client has deals. Move them to the trash first.")


@unit_of_work
def create_client(
    *,
    phones: Sequence[str],
    actor: Actor,
    name: str | None = "",
    email: str | None = "",
    notes: str | None = "",
    agent: UUID | None = None,
) -> Client:
    """Create a client of the actor, or, where a program asks, of the `agent` it names.

    `phones` are digits with country code, the main one first. Raises ClientExists if a live client of the agent has one
    of the numbers, Invalid for none, too many or equal ones, and for an agent who cannot be named.
    """
    owner = agent_for(actor, agent)
    check_numbers(phones)
    lock_own_agent(owner)
    refuse_taken(phones, agent_id=owner.pk, agency_id=agency_of(owner))
    return add_client(owner, phones, name=name, email=email, notes=notes, actor=actor)


@unit_of_work
def edit_client(client_id: UUID, changes: Mapping[str, Any], *, actor: Actor, version: int | None) -> Client:
    """Change what `changes` names of name, phones (a whole new list), email and notes; equal values change nothing.

    Raises Client.DoesNotExist, NotAllowed, VersionRequired, Stale, ClientExists, Invalid.
    """
    if "phones" in changes:
        lock_agent_of(client_id, actor)
    client = Client.objects.visible_to(actor).lock(client_id)
    may(actor, Action.CLIENT_CHANGED, client)
    client.require_version(version)
    changed = [field for field in EDITABLE if field in changes and is_changed(client, field, changes[field])]
    if not changed:
        return client
    if "phones" in changed:
        replace_numbers(client, changes["phones"])
    fields = [field for field in changed if field != "phones"]
    for field in fields:
        setattr(client, field, changes[field] or None)
    client.save_changes(*fields)
    if {"name", "phones"} & set(changed):
        renew_tokens(client)
    record(actor, Action.CLIENT_CHANGED, client, fields=changed)
    return client


@unit_of_work
def trash_client(client_id: UUID, *, actor: Actor, version: int | None) -> Client:
    """Move a client without deals to the trash. Raises Client.DoesNotExist, NotAllowed, Stale, ClientHasDeals."""
    client = Client.objects.visible_to(actor).lock(client_id)
    may(actor, Action.CLIENT_TRASHED, client)
    client.require_version(version)
    if Deal.objects.filter(client=client, deleted_at=None).exists():
        raise ClientHasDeals
    client.deleted_at = timezone.now()
    client.save_changes("deleted_at")
    ClientPhone.objects.filter(client=client).update(is_live=False)
    record(actor, Action.CLIENT_TRASHED, client)
    return client


@unit_of_work
def restore_client(client_id: UUID, *, actor: Actor, version: int | None) -> Client:
    """Bring a client back from the trash.

    Raises Client.DoesNotExist, NotAllowed, Stale, and ClientExists if one of the numbers is with another client now.
    """
    lock_agent_of(client_id, actor)
    client = Client.objects.trashed_visible_to(actor).lock(client_id)
    may(actor, Action.CLIENT_RESTORED, client)
    client.require_version(version)
    bring_back(client, actor=actor)
    return client


# --- what deals need of clients too


def bring_back(client: Client, *, actor: Actor) -> None:
    """Take a locked client, whose agent is locked too, out of the trash. Raises ClientExists."""
    refuse_taken(client.numbers, agent_id=client.agent_id, agency_id=client.agency_id, besides=client)
    client.deleted_at = None
    client.save_changes("deleted_at")
    ClientPhone.objects.filter(client=client).update(is_live=True)
    record(actor, Action.CLIENT_RESTORED, client)


def add_client(
    agent: User,
    phones: Sequence[str],
    *,
    actor: Actor,
    name: str | None = "",
    email: str | None = "",
    notes: str | None = "",
) -> Client:
    """Insert a client with numbers and tokens. The agent is locked and the numbers are free."""
    now = timezone.now()
    client = Client(agency_id=agency_of(agent), agent=agent, created_at=now, updated_at=now, newest_deal_at=now)
    client.name, client.email, client.notes = name or None, email or None, notes or None
    hot_writes.insert(client)
    add_numbers(client, phones)
    add_tokens(client)
    record(actor, Action.CLIENT_CREATED, client)
    return client


def give_name(client: Client, name: str, *, actor: Actor) -> None:
    """Name a locked client who had no name."""
    client.name = name
    client.save_changes("name")
    renew_tokens(client)
    record(actor, Action.CLIENT_CHANGED, client)


def agent_for(actor: Actor, agent_id: UUID | None) -> User:
    """Return whose a new client or deal is: a person's own, and a program's that of the active agent it names.

    Raises Invalid for a program that names none of its agency, and for a person who names one.
    """
    if actor.user is not None:
        if agent_id is not None:
            raise Invalid.at("agent", "unknown_field", _("What you create is your own."))
        return actor.user
    if agent_id is None:
        raise Invalid.at("agent", "required", _("Name the agent whom this is for."))
    try:
        return User.objects.visible_to(actor).active().select_related("agency").get(pk=agent_id)
    except User.DoesNotExist:
        raise Invalid.at("agent", "agent_unknown", _("There is no such agent here.")) from None


def agency_of(agent: User) -> UUID:
    assert agent.agency_id is not None
    return agent.agency_id


def lock_own_agent(agent: User) -> None:
    """Lock an agent who gets a client. Raises User.DoesNotExist for one who has just moved to another agency."""
    User.objects.select_for_update(no_key=True).values_list("pk").get(pk=agent.pk, agency_id=agent.agency_id)


def lock_agents(*agent_ids: UUID) -> None:
    """Let one transaction at a time give numbers to clients of these agents, so that none is given twice."""
    agents = User.objects.filter(pk__in=agent_ids).order_by("pk")
    list(agents.select_for_update(no_key=True).values_list("pk"))


def lock_agent_of(client_id: UUID, actor: Actor) -> None:
    """Lock the agent of a client before the client itself. Raises Client.DoesNotExist for one the actor may not see."""
    lock_agents(Client.objects.of_actor(actor).values_list("agent_id", flat=True).get(pk=client_id))


def refuse_taken(phones: Iterable[str], *, agent_id: UUID, agency_id: UUID, besides: Client | None = None) -> None:
    """Raise ClientExists if another live client of the agent has one of the numbers."""
    taken = ClientPhone.objects.with_numbers(agency_id, phones).filter(agent_id=agent_id, is_live=True)
    row = taken.exclude(client=besides).select_related("client").first()
    if row is not None:
        raise ClientExists(row.client)


# --- numbers and tokens


def check_numbers(phones: Sequence[str]) -> None:
    """Raise Invalid unless there are one to five different numbers."""
    if not phones:
        raise Invalid.at("phones", "required", _("Write a phone."))
    if len(phones) > PHONES_AT_MOST:
        raise Invalid.at("phones", "too_many", _("A client has at most five phones. Remove some."))
    if errors := [FieldError(f"/phones/{place}", "phone_twice", PHONE_TWICE) for place in repeated(phones)]:
        raise Invalid(errors=errors)


def repeated(phones: Sequence[str]) -> list[int]:
    """Return the places of numbers that stand there once more."""
    return [place for place, phone in enumerate(phones) if phone in phones[:place]]


def is_changed(client: Client, field: str, value: Any) -> bool:
    if field == "phones":
        return list(value) != client.numbers
    return bool((value or None) != getattr(client, field))


def replace_numbers(client: Client, phones: Sequence[str]) -> None:
    check_numbers(phones)
    refuse_taken(phones, agent_id=client.agent_id, agency_id=client.agency_id, besides=client)
    ClientPhone.objects.filter(client=client).delete()
    add_numbers(client, phones)


def add_numbers(client: Client, phones: Sequence[str]) -> None:
    hot_writes.insert_all([ClientPhone.of(client, position, phone) for position, phone in enumerate(phones)])
    client.numbers = list(phones)


def renew_tokens(client: Client) -> None:
    ClientToken.objects.filter(client=client).delete()
    add_tokens(client)


def add_tokens(client: Client) -> None:
    """Insert what finds the client by the beginning of a name's word or by a number's last four digits."""
    hot_writes.insert_all(tokens_of(client))


def tokens_of(client: Client, *, key_id: int | None = None) -> list[ClientToken]:
    """Return the tokens of a client, not yet saved, under the key that writes or the named one."""
    name = "" if isinstance(client.name, Unreadable) else client.name or ""
    tokens = name_tokens(client.agency_id, name, key_id=key_id)
    tokens |= {last4_token(client.agency_id, phone, key_id=key_id) for phone in client.numbers}
    return [ClientToken(client=client, agency_id=client.agency_id, token=token) for token in sorted(tokens)]
