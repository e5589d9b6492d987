"""What `accounts` asks of the work: see `accounts.services.agencies.Work`, whose port this module is."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.actor import Actor
from accounts.models import Agency, Event
from deals.models import Client, Deal, Look
from deals.services import trash
from deals.services.default_pipelines import lay_lost_reasons, lay_pipelines
from deals.services.searches import sweep_searches
from lk_site.links import link

LOOK_LIFE = timedelta(hours=2)  # a look counts within its hour; its event stays


def lay_out_agency(agency: Agency, *, actor: Actor) -> None:
    """Give a new agency the default pipelines and lost reasons, within the unit of work that opens it."""
    lay_pipelines(agency)
    lay_lost_reasons(agency)


def holds_work(user_id: UUID) -> bool:
    """Tell whether an agent has deals or clients, trashed ones included."""
    return Deal.objects.filter(agent_id=user_id).exists() or Client.objects.filter(agent_id=user_id).exists()


def places(events: Iterable[Event], *, actor: Actor) -> dict[UUID, tuple[str, str]]:
    """Return name and address of the deals and clients that these events are about and the actor can open."""
    events = list(events)
    deals = Deal.objects.visible_to(actor).filter(pk__in={event.deal_id for event in events if event.deal_id})
    clients = Client.objects.visible_to(actor).filter(pk__in={event.client_id for event in events if event.client_id})
    named = {pk: (f"№ {number}", link("deals:deal_detail", pk)) for pk, number in deals.values_list("pk", "number")}
    card = _("client's card")
    return named | {pk: (card, link("deals:client_detail", pk)) for pk in clients.values_list("pk", flat=True)}


def sweep(now: datetime) -> None:
    """Purge the trash of what lay there for 30 days, and forget searches and looks whose time is over."""
    trash.purge(now)
    sweep_searches(now)
    Look.objects.filter(hour__lt=now - LOOK_LIFE).delete()
