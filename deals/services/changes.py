"""The change feed: what happened in an agency, in the order it was committed, each with its object as it is now.

It reads the event log, whose numbers have no gaps and stand in commit order. The objects are read after the events:
whoever applies them in this order never goes back, and who takes the present number, then walks the lists, then follows
ends with an exact copy.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import BigIntegerField, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import FEED_ACTIONS, Action, AgencyHead, Event, EventText, Scope, User
from deals.models import Deal, LostReason, Note, Pipeline
from deals.services import client_listing, deal_rows
from deals.services.client_listing import ClientRow
from deals.services.deal_rows import DealRow, row_columns
from lk_site.errors import DomainError, NotAllowed, ScopeMissing
from lk_site.hot_reads import Compiled, Param

READ_AT_MOST = 5_000  # numbers of the log a page: looks and logins stand between the changes, and are passed over
OF_DEALS, OF_CLIENTS = frozenset({Scope.DEALS_READ}), frozenset({Scope.CLIENTS_READ})
SCOPES: dict[str, frozenset[Scope]] = {  # what a key needs any one of, by action or by its first word
    "deal": OF_DEALS,
    "note": OF_DEALS,
    "pipeline": OF_DEALS,
    "client": OF_CLIENTS,
    Action.CLIENT_CHANGED: OF_DEALS | OF_CLIENTS,  # his name and number stand on deals
}
READING = OF_DEALS | OF_CLIENTS  # for the rest
COLUMNS = ("seq", "at", "action", "version", "fields", "object_type", "object_id")


class CursorExpired(DomainError):
    """What happened since the cursor is no longer told."""

    code = "cursor_expired"
    status = 410
    sentence = _("Changes are told for 30 days, and some since this cursor are older. Copy the lists again.")


class NoteText(NamedTuple):
    """A note, and its newest text."""

    note: Note
    text: str


class ClientOnDeals(NamedTuple):
    """A client to a program that may see deals and no clients: what deals show of him."""

    row: ClientRow


Present = DealRow | ClientRow | ClientOnDeals | NoteText | Pipeline | LostReason | User
Found = dict[UUID, Any]  # Present, by id


class ChangePage(NamedTuple):
    """Events in commit order; of their objects those that exist, by id; and the number to go on after."""

    events: list[Event]
    present: dict[UUID, Present]
    last: int
    has_more: bool

    def object_of(self, event: Event) -> Present | None:
        return self.present.get(event.object_id) if event.object_id else None


def present_number(*, actor: Actor) -> int:
    """Return the number of the newest event: what is committed after this call stands after it. Raises NotAllowed."""
    must_see_everything(actor)
    return head_of(actor, after=0)[0]


def read_changes(*, actor: Actor, after: int, limit: int, actions: Collection[str] = ()) -> ChangePage:
    """Return what happened after a number of the agency's log: of these actions, or all that the actor is told of.

    A page may be empty although more follows: nothing of these actions stood among the numbers that were read.
    Raises NotAllowed, ScopeMissing, and CursorExpired where something since is older than is told, or never was.
    """
    must_see_everything(actor)
    wanted = told_to(actor, actions)
    newest, next_at = head_of(actor, after)
    if after > newest or (next_at and next_at < timezone.now() - settings.FEED_LIFE):
        raise CursorExpired
    if after == newest:
        return ChangePage([], {}, newest, has_more=False)
    return page_of(wanted, after, newest, limit, actor)


def page_of(wanted: Collection[str], after: int, newest: int, limit: int, actor: Actor) -> ChangePage:
    """Return the first events of these actions after a number; all up to `newest` are committed and can be seen."""
    up_to = min(newest, after + READ_AT_MOST)
    numbered = Event.objects.visible_to(actor).filter(seq__gt=after, seq__lte=up_to)
    rows = list(numbered.filter(action__in=wanted).order_by("seq").only(*COLUMNS)[: limit + 1])
    events = rows[:limit]
    last = events[-1].seq if len(rows) > limit else up_to
    return ChangePage(events, present_objects(events, actor), last, has_more=last < newest)


def must_see_everything(actor: Actor) -> None:
    """Raise NotAllowed for an agent: the feed tells of the whole agency."""
    if not actor.is_head:
        raise NotAllowed


def told_to(actor: Actor, asked: Collection[str]) -> Collection[str]:
    """Return the actions asked for, or all that the actor is told of. Raises ScopeMissing for one that he is not."""
    told = [action.value for action in FEED_ACTIONS if not actor.is_key or actor.scopes & scopes_for(action)]
    if untold := set(asked).difference(told):
        raise ScopeMissing(scopes_for(Action(min(untold))))
    return asked or told


def scopes_for(action: Action) -> frozenset[Scope]:
    return SCOPES.get(action) or SCOPES.get(action.value.partition(".")[0], READING)


ANY_LOG, NEXT_NUMBER = Param("agency", AgencyHead._meta.pk), Param("number", BigIntegerField())


def head_and_next() -> QuerySet[AgencyHead, tuple[int, datetime | None]]:
    following = Event.objects.filter(agency_id=ANY_LOG, seq=NEXT_NUMBER).values("at")
    return AgencyHead.objects.filter(pk=ANY_LOG).values_list("seq", Subquery(following))


HEAD = Compiled(head_and_next)  # what every program that waits for changes asks again and again


def head_of(actor: Actor, after: int) -> tuple[int, datetime | None]:
    """Return the number of the agency's newest event, and when the one right after a number happened."""
    seq, next_at = HEAD.row(agency=actor.agency_id, number=after + 1) or (0, None)
    return seq, next_at


# --- objects as they are now, trashed ones included; one statement a kind, and one more for what belongs to notes and
# pipelines


def present_objects(events: Iterable[Event], actor: Actor) -> dict[UUID, Present]:
    """Return those objects of the events that exist, by id."""
    ids = defaultdict[str, set[UUID]](set)
    for event in events:
        if event.object_id:
            ids[event.object_type].add(event.object_id)
    return {key: found for kind, of_kind in ids.items() for key, found in READERS[kind](of_kind, actor).items()}


def deals_now(ids: Collection[UUID], actor: Actor) -> Found:
    rows = deal_rows.rows_of(row_columns(Deal.objects.of_actor(actor).filter(pk__in=ids)))
    return {row.id: row for row in rows}


def clients_now(ids: Collection[UUID], actor: Actor) -> Found:
    if actor.is_key and Scope.CLIENTS_READ not in actor.scopes:
        return clients_on_deals(ids, actor)
    return dict(client_listing.rows_by_id(ids, actor=actor))


def clients_on_deals(ids: Collection[UUID], actor: Actor) -> Found:
    """Return those of these clients whom a deal names, a trashed one included: nothing else shows them."""
    named = set(Deal.objects.of_actor(actor).filter(client__in=ids).values_list("client_id", flat=True))
    return {pk: ClientOnDeals(row) for pk, row in client_listing.rows_by_id(named, actor=actor).items()}


def notes_now(ids: Collection[UUID], actor: Actor) -> Found:
    """Return the notes that are not deleted; those of trashed deals stay."""
    live = Note.objects.filter(pk__in=ids, deleted_at=None, deal__in=Deal.objects.of_actor(actor))
    notes = list(live.select_related("author", "key"))
    texts = EventText.objects.filter(erased_at=None).in_bulk([note.text_event_id for note in notes])
    return {note.pk: NoteText(note, row.text or "") for note in notes if (row := texts.get(note.text_event_id))}


def pipelines_now(ids: Collection[UUID], actor: Actor) -> Found:
    """Return pipelines by their own ids and by those of their stages: a stage is shown in its pipeline."""
    named = Pipeline.objects.visible_to(actor).filter(Q(pk__in=ids) | Q(stages__pk__in=ids)).distinct()
    found: Found = {}
    for pipeline in named.prefetch_related("stages"):
        found |= {pk: pipeline for pk in (pipeline.pk, *(stage.pk for stage in pipeline.stages.all())) if pk in ids}
    return found


def reasons_now(ids: Collection[UUID], actor: Actor) -> Found:
    return LostReason.objects.visible_to(actor).in_bulk(ids)


def people_now(ids: Collection[UUID], actor: Actor) -> Found:
    return User.objects.visible_to(actor).in_bulk(ids)


READERS: dict[str, Callable[[Collection[UUID], Actor], Found]] = {
    "deal": deals_now,
    "client": clients_now,
    "note": notes_now,
    "pipeline": pipelines_now,
    "stage": pipelines_now,
    "lostreason": reasons_now,
    "user": people_now,
}
