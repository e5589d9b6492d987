"""Who saw a client's number, and when: looks by the client's own agent, reveals by head and staff."""

from datetime import datetime
from uuid import UUID

from django.db.models import DateTimeField
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, User
from accounts.services import limits
from accounts.services.people import cleaned_reason
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import Client, Look
from deals.services.permissions import may, may_ask
from lk_site.hot_reads import Compiled, Param

LOOK = Compiled(
    lambda: Look.objects.filter(
        user_id=Param("user", User._meta.pk),
        client_id=Param("client", Client._meta.pk),
        hour=Param("hour", DateTimeField()),
    ).values_list("pk")
)


def look_at(client: Client, *, actor: Actor) -> bool:
    """Tell whether the actor sees the client's numbers in clear, and record that he looked.

    One event per person, client and hour, counted against the looks of an hour; above them, and for everyone but the
    client's own agent, the numbers stay masked.
    """
    if not may_ask(actor, Action.CLIENT_LOOKED_AT, client):
        return False
    hour = this_hour()
    return bool(LOOK.row(user=actor.user_id, client=client.pk, hour=hour)) or take_look(client, hour, actor=actor)


@unit_of_work
def take_look(client: Client, hour: datetime, *, actor: Actor) -> bool:
    """Count a first look of this hour, or return False where the hour's looks are used up."""
    assert actor.user_id is not None
    if not limits.take("looks", actor.user_id):
        return False
    if Look.keep(actor.user_id, client.pk, hour):
        record(actor, Action.CLIENT_LOOKED_AT, client)
    else:  # another request of this person was quicker, and is counted
        limits.give_back("looks", actor.user_id)
    return True


def reveal_phones(client_id: UUID, *, actor: Actor, reason: str = "") -> list[str]:
    """Return a client's numbers in clear to who otherwise sees masks; the evidence is written first.

    Raises Client.DoesNotExist, Invalid if staff give no reason, LimitReached above the looks and reveals of an hour.
    """
    client = Client.objects.revealable_to(actor).whole().get(pk=client_id)
    may(actor, Action.CLIENT_REVEALED, client)
    if actor.is_staff:
        reason = cleaned_reason(reason)
    assert actor.id is not None
    if not (taken := limits.take("looks", actor.id)):
        raise taken.error()
    record_reveal(client, reason, actor=actor)
    return client.numbers


@unit_of_work
def record_reveal(client: Client, reason: str, *, actor: Actor) -> None:
    record(actor, Action.CLIENT_REVEALED, client, text=reason)


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)
