"""The audit of an agency, for its head: who did what to which object, when, from where. And the export of it.

It holds names of the agency's own people and programs, as they are today, and no other personal data. Staff of the
platform have no names here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Self
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor, ActorKind
from accounts.models import Action, Agency, ApiKey, Event, User
from accounts.services import limits, step_up
from accounts.services.unit_of_work import record, unit_of_work
from lk_site.cursors import Keyset, Position
from lk_site.errors import Invalid, NotAllowed

NEWEST_FIRST = Keyset(("-at", datetime.fromisoformat), ("-id", UUID))
EXPORT_ROWS = 100_000
EXPORT_SPAN = timedelta(days=31)
ROWS_AT_ONCE = 1000
OF_THE_PLATFORM = frozenset(  # stand in no agency's audit
    {
        *(Action.STAFF_ADDED, Action.STAFF_CHANGED, Action.STAFF_LOGGED_IN, Action.STAFF_LOGIN_FAILED),
        *(Action.BACKUP_MADE, Action.BACKUP_VERIFIED, Action.BACKUP_FAILED, Action.BACKUP_RESTORED),
        *(Action.RANGE_LIFTED, Action.KEYS_ROTATED),
    }
)
AUDITED = tuple(action for action in Action if action not in OF_THE_PLATFORM)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What the audit is narrowed to; several values of one field mean *or*. `until` is the first moment left out."""

    actor: tuple[UUID, ...] = ()  # people and keys
    action: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    object: UUID | None = None  # itself, or the deal or client that it belongs to

    def condition(self) -> Q:
        found = Q()
        if self.actor:
            found &= Q(actor_id__in=self.actor)
        if self.action:
            found &= Q(action__in=self.action)
        if self.since:
            found &= Q(at__gte=self.since)
        if self.until:
            found &= Q(at__lt=self.until)
        if self.object:
            found &= Q(object_id=self.object) | Q(deal_id=self.object) | Q(client_id=self.object)
        return found

    def within_an_export(self, now: datetime) -> Self:
        """Return the filter with both ends of its time: the last 31 days, unless it says another time.

        Raises Invalid for a longer one.
        """
        until = min(self.until or now, now)
        since = self.since or until - EXPORT_SPAN
        if until - since > EXPORT_SPAN:
            raise Invalid.at("since", "range_too_wide", _("An export holds 31 days at most. Choose a shorter time."))
        return replace(self, since=since, until=until)


class AuditPage(NamedTuple):
    """Events, newest first, and the sort key of the last one, None where no other page follows."""

    events: list[Event]
    last: Position | None


@dataclass(frozen=True, slots=True)
class Who:
    """Who did it. Only an agent or a key of the agency has a name; staff of the platform have no id either."""

    kind: ActorKind
    id: UUID | None
    name: str


def list_events(asked: AuditFilter, *, actor: Actor, limit: int, after: Position | None = None) -> AuditPage:
    """Return a page of the agency's audit. Raises NotAllowed for anybody but a head or a program."""
    rows = list(NEWEST_FIRST.after(events_of(asked, actor), after)[: limit + 1])
    events = rows[:limit]
    return AuditPage(events, (events[-1].at, events[-1].pk) if len(rows) > limit else None)


def events_of(asked: AuditFilter, actor: Actor) -> QuerySet[Event]:
    """Return the events of the actor's agency. Raises NotAllowed."""
    must_read(actor)
    return Event.objects.visible_to(actor).filter(asked.condition())


def must_read(actor: Actor) -> None:
    """Raise NotAllowed for anybody but a head or a program, which sees what the head sees."""
    if not actor.is_head or actor.agency_id is None:
        raise NotAllowed


# --- names


class Names(NamedTuple):
    """What people and programs of an agency are called, by id."""

    people: dict[UUID, str]
    keys: dict[UUID, str]

    def who(self, event: Event) -> Who:
        """Return who did it; nobody's name for who is not of the agency any more."""
        kind = ActorKind(event.actor_kind)
        if kind == ActorKind.STAFF or event.actor_id is None:
            return Who(kind, None, "")
        return Who(kind, event.actor_id, (self.keys if kind == ActorKind.KEY else self.people).get(event.actor_id, ""))

    def of_object(self, event: Event) -> str:
        """Return what the person or the key is called whom an event is about, nothing for other objects."""
        known = {"user": self.people, "apikey": self.keys}.get(event.object_type, {})
        return known.get(event.object_id, "") if event.object_id else ""


def all_names(actor: Actor) -> Names:
    """Return the names of everybody in the agency, by name: the page offers them to choose from. Raises NotAllowed."""
    must_read(actor)
    people = {user.pk: user.name or "" for user in User.objects.visible_to(actor).only("name")}
    keys = dict(ApiKey.objects.visible_to(actor).values_list("pk", "name"))
    return Names(by_name(people), by_name(keys))


def by_name(names: dict[UUID, str]) -> dict[UUID, str]:
    """Return names in the order of a list to choose from; who has none yet stands last. They lie encrypted."""
    return dict(sorted(names.items(), key=lambda one: (not one[1], one[1].casefold(), one[0])))


def names_in(events: Iterable[Event], actor: Actor) -> Names:
    """Return the names that these events need."""
    ids = {pk for event in events for pk in (event.actor_id, event.object_id) if pk}
    people = User.objects.visible_to(actor).only("name").in_bulk(ids)
    keys = ApiKey.objects.visible_to(actor).filter(pk__in=ids).values_list("pk", "name")
    return Names({pk: user.name or "" for pk, user in people.items()}, dict(keys))


# --- export


def export_events(asked: AuditFilter, *, actor: Actor) -> Iterator[list[Event]]:
    """Count and record an export, and return its events in batches, newest first, read while they are taken.

    For a head in person, at most 31 days and 100,000 events. Raises NotAllowed, FreshCodeRequired, Invalid for more,
    and LimitReached.
    """
    if actor.is_key:
        raise NotAllowed
    must_read(actor)
    step_up.require_fresh_code(actor)
    asked = asked.within_an_export(timezone.now())
    events = events_of(asked, actor)
    rows = events.order_by()[: EXPORT_ROWS + 1].count()
    if rows > EXPORT_ROWS:
        raise Invalid.at("since", "too_many", _("More than 100,000 events. Choose a shorter time."))
    if not (taken := record_export(asked, rows, actor=actor)):
        raise taken.error()
    return batches_of(events)


@unit_of_work
def record_export(asked: AuditFilter, rows: int, *, actor: Actor) -> limits.Taken | limits.Refused:
    """Count an export and leave its evidence, unless the day's exports are used up."""
    assert actor.user_id is not None
    taken = limits.take("export", actor.user_id)
    if taken:
        since, until = (f"{moment:%Y-%m-%dT%H:%M:%S%z}" for moment in (asked.since, asked.until))
        agency = Agency(pk=actor.agency_id)
        record(actor, Action.EXPORT_MADE, agency, what="audit", rows=rows, since=since, until=until)
    return taken


def batches_of(events: QuerySet[Event]) -> Iterator[list[Event]]:
    """Yield events, newest first. Pages by key, so that no snapshot is held open while somebody downloads slowly."""
    position: Position | None = None
    while batch := list(NEWEST_FIRST.after(events, position)[:ROWS_AT_ONCE]):
        yield batch
        position = (batch[-1].at, batch[-1].pk)
