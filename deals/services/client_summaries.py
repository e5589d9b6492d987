"""What a list or a card of clients says beside the clients themselves, looked up once a page."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery

from accounts.actor import Actor
from deals.models import Client, ClientPhone, Deal


class ClientDeals(NamedTuple):
    """How many live deals a client has, and the address of the newest."""

    deals: int
    newest_address: str


def deals_of_clients(client_ids: Sequence[UUID], *, actor: Actor) -> dict[UUID, ClientDeals]:
    """Return the deals of each of these clients in short, in one statement."""
    if not client_ids:
        return {}
    newest = Deal.objects.filter(client=OuterRef("pk"), deleted_at=None).newest_first().values("property_address")[:1]
    live = Count("deals", filter=Q(deals__deleted_at=None))
    rows = Client.objects.of_actor(actor).filter(pk__in=client_ids).annotate(live=live, newest=Subquery(newest))
    return {pk: ClientDeals(count, address or "") for pk, count, address in rows.values_list("pk", "live", "newest")}


def is_known_twice(client: Client, *, actor: Actor) -> bool:
    """Tell a head whether another agent of the agency has a live client with one of these numbers."""
    same = ClientPhone.objects.visible_to(actor).with_numbers(client.agency_id, client.numbers)
    return same.filter(is_live=True).exclude(client=client).exists()
