"""The alarm to heads: somebody sees five times his own norm of clients' numbers, as who copies the base must.

A worker looks every five minutes, so that no page pays for it; at 60 looks an hour that is five numbers late. Days are
the spans of 24 hours back from now: no midnight divides what was seen. Staff of the platform give a reason for each
number and are not watched here.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median_low
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.actor import Actor, ActorKind
from accounts.models import LOOKS, Action, Agency, ApiKey, Event, Role, User
from accounts.services import outbox
from accounts.services.audit import must_read
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.errors import NotAllowed

DAY = timedelta(days=1)
TEXT = _("LK: somebody sees far more numbers than usual. See the audit.")
WATCHED = (ActorKind.AGENT, ActorKind.KEY)


class Seen(NamedTuple):
    """How many clients' numbers a person or a program of an agency has seen in the last 24 hours."""

    agency_id: UUID
    actor_kind: str
    actor_id: UUID
    numbers: int


def watch(now: datetime) -> int:
    """Raise the alarms that are due, and return how many. Any number of workers may watch."""
    return sum(raise_if_due(seen, now) for seen in busy(now))


def busy(now: datetime) -> Iterator[Seen]:
    """Yield those who have seen so many numbers in the last 24 hours that somebody's norm would be exceeded."""
    looks = Event.objects.filter(action__in=LOOKS, actor_kind__in=WATCHED, at__gt=now - DAY, at__lte=now)
    of_each = looks.order_by().values_list("agency_id", "actor_kind", "actor_id")
    counted = of_each.annotate(numbers=Count("client_id", distinct=True))
    yield from map(Seen._make, counted.filter(numbers__gte=alarming(settings.LOOKS_NORM_AT_LEAST)))


def alarming(norm: int) -> int:
    return settings.LOOKS_ALARM_TIMES * norm


def raise_if_due(seen: Seen, now: datetime) -> bool:
    norm = norm_of(seen, now)
    return seen.numbers >= alarming(norm) and raise_alarm(seen, norm, now)


def norm_of(seen: Seen, now: datetime) -> int:
    """Return how many numbers a person or a program sees on a usual day with any, before the last 24 hours."""
    since = now - DAY * (settings.LOOKS_NORM_DAYS + 1)
    looks = Event.objects.filter(action__in=LOOKS, actor_id=seen.actor_id)
    clients: dict[int, set[UUID | None]] = defaultdict(set)
    for client_id, at in looks.filter(at__gt=since, at__lte=now - DAY).values_list("client_id", "at"):
        clients[(now - at) // DAY].add(client_id)
    days = [len(seen_then) for seen_then in clients.values()]
    days += [0] * (settings.LOOKS_NORM_OF_DAYS - len(days))
    return max(median_low(days), settings.LOOKS_NORM_AT_LEAST)


@unit_of_work
def raise_alarm(seen: Seen, norm: int, now: datetime) -> bool:
    """Tell the heads of an agency, once in 24 hours of each person or program; return whether they were told now."""
    agency = Agency.objects.select_for_update(no_key=True).get(pk=seen.agency_id)
    told = Event.objects.filter(object_id=seen.actor_id, agency_id=agency.pk, action=Action.ALARM_RAISED)
    if told.filter(at__gt=now - DAY).exists():
        return False
    whom = ApiKey(pk=seen.actor_id) if seen.actor_kind == ActorKind.KEY else User(pk=seen.actor_id)
    event = record(Actor.system(), Action.ALARM_RAISED, whom, agency_id=agency.pk, numbers=seen.numbers, norm=norm)
    if agency.alarmed_at is None or now - agency.alarmed_at >= DAY:
        text_heads(agency, now)
    agency.alarmed_at = event.at
    agency.save(update_fields=["alarmed_at"])
    return True


def text_heads(agency: Agency, now: datetime) -> None:
    """Let the heads know by SMS, once in 24 hours of an agency: they may not open LK today. It names nobody."""
    for head in User.objects.agents().active().filter(agency=agency, role=Role.HEAD):
        with override(head.language or settings.LANGUAGE_CODE):
            outbox.queue_sms(head.phone or "", str(TEXT), useless_at=now + DAY)


def waiting_for(actor: Actor) -> list[Event]:
    """Return the alarms that a head has not looked into yet, the newest first. Raises NotAllowed."""
    must_read(actor)
    if actor.user is None or not actor.user.is_alarmed:
        return []
    since = max(filter(None, (actor.user.alarms_seen_at, timezone.now() - settings.ALARM_LIFE)))
    raised = Event.objects.visible_to(actor).filter(action=Action.ALARM_RAISED, at__gt=since)
    return list(raised.order_by("-at", "-id"))


@unit_of_work
def see_alarms(alarm_id: UUID, *, actor: Actor) -> None:
    """Take an alarm, and those before it, off the pages of this head; other heads keep theirs.

    Raises NotAllowed for whoever is no agent, and Event.DoesNotExist: to who is no head all alarms are absent.
    """
    if actor.kind != ActorKind.AGENT or actor.user_id is None:
        raise NotAllowed
    raised = Event.objects.visible_to(actor).filter(action=Action.ALARM_RAISED)
    alarm = (raised if actor.is_head else raised.none()).get(pk=alarm_id)
    not_seen = Q(alarms_seen_at=None) | Q(alarms_seen_at__lt=alarm.at)
    if User.objects.filter(not_seen, pk=actor.user_id).update(alarms_seen_at=alarm.at):
        record(actor, Action.ALARM_SEEN, Agency(pk=actor.agency_id), alarm=str(alarm.pk))
