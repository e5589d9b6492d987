"""The timeline of a deal: what the events tell, ready for pages and programs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor, ActorKind
from accounts.models import Action, ApiKey, Event, EventText, User
from deals.models import Deal, Note
from deals.services.deal_reading import ANY_CLIENT, ANY_DEAL, reasons_of, stages_of
from deals.services.deal_rows import ANYBODY
from lk_site.cursors import Keyset, Position
from lk_site.hot_reads import CompiledObjects

NEWEST_FIRST = Keyset(("-seq", int))
AGENTS = ("was", "now")  # whom a hand-over names
OF_CLIENT = (Action.CLIENT_CHANGED, Action.CLIENT_REVEALED)  # a deal's timeline tells these of its client too
FIELD_LABELS = {
    "property_address": _("address"),
    "price": _("price"),
    "property_type": _("property"),
    "commission_percent": _("commission"),
    "next_step": _("next step"),
    "notes": _("notes"),
    "stage": _("stage"),
    "agent": _("agent"),
    "client": _("client"),
    "name": _("name"),
    "phones": _("phones"),
    "email": _("e-mail"),
    "deleted_at": _("trash"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it, a person or a program; LK itself and staff have no name here."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened. Names are those of today, in the reader's language.

    `text` is a note, a reason or a comment, None where there is none or it is erased. A note stands, with its newest
    text, where it was added; its edits and its deletion are entries without text.
    """

    id: UUID
    seq: int
    at: datetime
    action: Action
    actor_kind: str
    actor: Person | None
    key: Person | None  # the program, where no person did it
    version: int | None
    fields: tuple[str, ...]
    data: dict[str, Any]
    was_stage: str
    now_stage: str
    lost_reason: str
    was_agent: Person | None
    now_agent: Person | None
    text: str | None
    is_text_erased: bool
    note_id: UUID | None
    is_edited: bool
    is_editable: bool

    @property
    def label(self) -> str:
        """What was done, as a sentence without its subject: «changed the deal»."""
        return str(self.action.label)

    @property
    def field_labels(self) -> list[str]:
        return [str(FIELD_LABELS.get(field, field)) for field in self.fields]


class TimelinePage(NamedTuple):
    """Entries, newest first, and the sort key of the last one, None where no other page follows."""

    entries: list[TimelineEntry]
    last: Position | None


def read_timeline(deal: Deal, *, actor: Actor, limit: int, after: Position | None = None) -> TimelinePage:
    """Return a page of what happened on a deal that the actor sees."""
    if after is None:
        rows = NEWEST_EVENTS.objects(limit=limit + 1, deal=deal.pk, client=deal.client_id, agency=actor.agency_id)
    else:
        rows = list(NEWEST_FIRST.after(events_of(deal.pk, deal.client_id, actor), after)[: limit + 1])
    events = rows[:limit]
    return TimelinePage(entries_of(deal, events, actor), (events[-1].seq,) if len(rows) > limit else None)


def events_of(deal_id: Any, client_id: Any, actor: Actor) -> QuerySet[Event]:
    """Return the events of a deal, and those of its client that a deal's timeline tells."""
    told = Q(deal_id=deal_id) | Q(client_id=client_id, deal_id=None, action__in=OF_CLIENT)
    return Event.objects.visible_to(actor).timeline().filter(told)


NEWEST_EVENTS = CompiledObjects(Event, lambda: NEWEST_FIRST.after(events_of(ANY_DEAL, ANY_CLIENT, ANYBODY[True]), None))


def entries_of(deal: Deal, events: Sequence[Event], actor: Actor) -> list[TimelineEntry]:
    """Return the entries of some events: everything they name is looked up once for all of them."""
    known = Known(
        notes=Note.objects.in_bulk([event.object_id for event in events if event.object_type == "note"]),
        people=people_in(events, deal.agent, actor.user),
        keys=keys_in(events),
        stages=stages_in(deal, events),
        reasons=reasons_in(deal, events),
        texts={},
    )
    known = known._replace(texts=texts_of(shown_text_ids(events, known.notes)))
    return [entry_of(event, known, actor) for event in events]


class Known(NamedTuple):
    """What the events of a page name, by id or code."""

    notes: dict[UUID, Note]
    people: dict[UUID, Person]
    keys: dict[UUID, Person]
    stages: dict[str, str]
    reasons: dict[str, str]
    texts: dict[UUID, str | None]


def entry_of(event: Event, known: Known, actor: Actor) -> TimelineEntry:
    note = known.notes.get(event.object_id) if event.object_id else None
    text_id = shown_text_id(event, known.notes)
    return TimelineEntry(
        id=event.pk,
        seq=event.seq,
        at=event.at,
        action=Action(event.action),
        actor_kind=event.actor_kind,
        actor=known.people.get(event.actor_id) if event.actor_id else None,
        key=known.keys.get(event.actor_id) if event.actor_id else None,
        version=event.version,
        fields=tuple(event.fields),
        data=event.data,
        was_stage=known.stages.get(event.data.get("was", ""), ""),
        now_stage=known.stages.get(event.data.get("now", ""), ""),
        lost_reason=known.reasons.get(event.data.get("reason", ""), ""),
        was_agent=known.people.get(agent_in(event, "was")),
        now_agent=known.people.get(agent_in(event, "now")),
        text=known.texts.get(text_id) if text_id else None,
        is_text_erased=text_id is not None and known.texts.get(text_id) is None,
        note_id=note.pk if note else None,
        is_edited=note is not None and event.action == Action.NOTE_ADDED and note.edited_at is not None,
        is_editable=is_editable(event, note, actor),
    )


def is_editable(event: Event, note: Note | None, actor: Actor) -> bool:
    """Tell whether the reader may edit and delete the note that stands here."""
    stands_here = note is not None and note.deleted_at is None and event.action == Action.NOTE_ADDED
    return note is not None and stands_here and note.is_by(actor)


# --- texts


def shown_text_id(event: Event, notes: dict[UUID, Note]) -> UUID | None:
    """Return the event whose text an entry shows: of a note the newest one, else its own, None where it shows none."""
    if event.text_digest is None or event.action == Action.NOTE_EDITED:
        return None
    note = notes.get(event.object_id) if event.object_id else None
    return note.text_event_id if note else event.pk


def shown_text_ids(events: Iterable[Event], notes: dict[UUID, Note]) -> set[UUID]:
    return {text_id for event in events if (text_id := shown_text_id(event, notes))}


def texts_of(event_ids: set[UUID]) -> dict[UUID, str | None]:
    return {row.pk: row.text for row in EventText.objects.filter(pk__in=event_ids)} if event_ids else {}


# --- names


def agent_in(event: Event, name: str) -> UUID:
    """Return the id of the agent whom a hand-over names, and of nobody for other events."""
    return UUID(event.data[name]) if event.action == Action.DEAL_HANDED_OVER else UUID(int=0)


def people_in(events: Iterable[Event], *known: User | None) -> dict[UUID, Person]:
    """Return the people whom the events name; who is not known yet is looked up. Staff have no name here."""
    people = {user.pk: user for user in known if user and not user.is_staff}
    ids = {event.actor_id for event in events if event.actor_id and event.actor_kind != ActorKind.KEY}
    ids |= {agent_in(event, name) for event in events if event.action == Action.DEAL_HANDED_OVER for name in AGENTS}
    if unknown := ids - people.keys():
        people |= User.objects.agents().only("name", "kind").in_bulk(unknown)
    return {pk: Person(pk, user.name or "") for pk, user in people.items()}


def keys_in(events: Iterable[Event]) -> dict[UUID, Person]:
    """Return the programs whose deeds the events are, by the ids of their keys."""
    ids = {event.actor_id for event in events if event.actor_kind == ActorKind.KEY}
    return {pk: Person(pk, key.name) for pk, key in ApiKey.objects.in_bulk(ids).items()} if ids else {}


def stages_in(deal: Deal, events: Iterable[Event]) -> dict[str, str]:
    """Return the names of the pipeline's stages by code, if an event names one."""
    if not any(event.fields == ["stage"] or event.action == Action.DEAL_CREATED for event in events):
        return {}
    return {stage.code: stage.name for stage in stages_of(deal)}


def reasons_in(deal: Deal, events: Iterable[Event]) -> dict[str, str]:
    """Return the names of the agency's lost reasons by code, if an event names one."""
    if not any("reason" in event.data for event in events):
        return {}
    return {reason.code: reason.name for reason in reasons_of(deal)}
