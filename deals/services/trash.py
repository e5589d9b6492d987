"""The end of what lay in the trash for 30 days: rows and texts go, events stay and say so."""

from datetime import datetime
from uuid import UUID

from accounts.actor import Actor
from accounts.models import Action, Event
from accounts.services.unit_of_work import erase_text, record, unit_of_work
from deals.models import Client, Deal

BATCH = 100  # rows a transaction: a sweep never keeps agents waiting for long


def purge(now: datetime) -> None:
    """Purge deals first, then clients, of whom no deal can be left by then."""
    while purge_deals(now):
        pass
    while purge_clients(now):
        pass


@unit_of_work
def purge_deals(now: datetime) -> bool:
    """Purge one batch of deals, and tell whether there was one."""
    batch = list(Deal.objects.outlived(now).order_by("pk").select_for_update(skip_locked=True)[:BATCH])
    for deal in batch:
        erase_texts_of(deal_id=deal.pk)
        record(Actor.system(), Action.DEAL_PURGED, deal, fields=[])
        deal.delete()
    return bool(batch)


@unit_of_work
def purge_clients(now: datetime) -> bool:
    """Purge one batch of clients, and tell whether there was one."""
    outlived = Client.objects.outlived(now).filter(deals=None).order_by("pk")
    batch = list(outlived.select_for_update(of=("self",), skip_locked=True)[:BATCH])
    for client in batch:
        erase_texts_of(object_id=client.pk)
        record(Actor.system(), Action.CLIENT_PURGED, client)
        client.delete()
    return bool(batch)


def erase_texts_of(**owner: UUID) -> None:
    """Blank every text that events of a deal or a client hold."""
    erase_text(Event.objects.filter(text_digest__isnull=False, **owner).values_list("pk", flat=True))
