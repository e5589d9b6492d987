"""Hand-over: the head gives a deal to another agent, and the client goes with it as far as he can."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, User
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import Client, ClientPhone, Deal
from deals.services.clients import add_client, lock_agents
from deals.services.deals import raise_newest_deal
from deals.services.permissions import may
from lk_site.errors import DomainError, Invalid


class SameAgent(DomainError):
    """A deal is handed over to somebody else."""

    code = "same_agent"
    sentence = _("The deal already belongs to this agent.")


@unit_of_work
def hand_over_deal(deal_id: UUID, agent_id: UUID, *, actor: Actor, version: int | None) -> Deal:
    """Give a deal to another active agent of the agency.

    Its client becomes the one whom that agent has under one of the numbers; else, where the old agent works for him
    too, a copy without notes; else the client himself moves.
    Raises Deal.DoesNotExist, NotAllowed, VersionRequired, Stale, SameAgent, Invalid for an agent who cannot take it.
    """
    seen = Deal.objects.visible_to(actor).get(pk=deal_id)
    may(actor, Action.DEAL_HANDED_OVER, seen)
    seen.require_version(version)
    agent = lock_taker(seen, agent_id)
    client = client_of(seen, agent)
    deal = Deal.objects.visible_to(actor).lock(deal_id)
    deal.require_version(version)
    was = deal.agent_id
    if client is None:
        client = give_client(deal, agent, actor=actor)
    fields = ["agent"] if client.pk == deal.client_id else ["agent", "client"]
    deal.agent, deal.client = agent, client
    deal.save_changes("agent", "client")
    raise_newest_deal(client, deal)
    record(actor, Action.DEAL_HANDED_OVER, deal, fields=fields, was=str(was), now=str(agent.pk))
    return deal


def lock_taker(deal: Deal, agent_id: UUID) -> User:
    """Lock both agents, and return the one who takes the deal. Raises SameAgent, Invalid."""
    if agent_id == deal.agent_id:
        raise SameAgent
    lock_agents(deal.agent_id, agent_id)
    try:
        return User.objects.agents().active().get(pk=agent_id, agency_id=deal.agency_id)
    except User.DoesNotExist:
        raise Invalid.at("agent", "agent_unknown", _("There is no such agent here.")) from None


def client_of(deal: Deal, agent: User) -> Client | None:
    """Lock the deal's client and whom the agent has under one of his numbers, and return the latter, or None."""
    numbers = Client.objects.get(pk=deal.client_id).numbers
    rows = ClientPhone.objects.with_numbers(deal.agency_id, numbers).filter(agent=agent, is_live=True)
    known = {row.phone: row.client_id for row in rows}
    known_id = next((known[number] for number in numbers if number in known), None)
    ids = {deal.client_id} | ({known_id} if known_id else set())
    locked = {
        client.pk: client for client in Client.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    }
    return locked.get(known_id) if known_id else None


def give_client(deal: Deal, agent: User, *, actor: Actor) -> Client:
    """Return the client as the new agent has him: a copy if the old agent works for him too, else the same row."""
    client = deal.client
    if Deal.objects.filter(client=client).exclude(pk=deal.pk).exists():
        return add_client(agent, client.numbers, name=client.name or "", email=client.email or "", actor=actor)
    was = client.agent_id
    client.agent = agent
    client.save_changes("agent")
    ClientPhone.objects.filter(client=client).update(agent=agent)
    record(actor, Action.CLIENT_HANDED_OVER, client, was=str(was), now=str(agent.pk))
    return client
