"""Asking the evidence whether it is whole, and recording what no service records: refusals and failed logins."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

from django.db.models import OuterRef, Subquery

from accounts.actor import Actor
from accounts.models import Action, AgencyHead, Event, EventText, User
from accounts.services import anchors, limits
from accounts.services.unit_of_work import TEXT_DIGEST, record, unit_of_work
from lk_site import addresses
from lk_site.encryption import Unreadable, blind_indexes
from lk_site.encryption.keys import KeyMissing

ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first row of an agency's evidence that is not as it was written, and what is wrong with it."""

    agency_id: UUID
    seq: int
    what: str
    event_id: UUID | None = None

    def __str__(self) -> str:
        return f"number {self.seq}: {self.what}" + (f" (event {self.event_id})" if self.event_id else "")


def verify(agency_id: UUID | None = None, folders: Iterable[Path] = ()) -> Iterator[tuple[UUID, Flaw | None]]:
    """Check every event of one agency or of all, the platform too, and yield each with its first flaw or None.

    It sees an edit, a deletion, a swap, an insertion, a head that does not fit, and a text that is not the recorded
    one; an erased text is in order. A tail that was cut together with its head shows only against the anchors in
    `folders`. Raises AnchorsBroken, before anything is checked, where their files are not as they were written.
    """
    stated = dict(AgencyHead.objects.values_list("agency_id", "anchored_seq"))  # read first: files only grow
    folders = list(folders)
    anchored = anchors.read(folders)
    for one in [agency_id] if agency_id is not None else sorted({*agencies_with_evidence(), *anchored}):
        numbers = anchored.get(one, {})
        flaw = first_flaw(one, numbers)
        if flaw is None and folders and stated.get(one, 0) > max(numbers, default=0):
            flaw = Flaw(one, stated[one], "the anchor of it is missing from the files")
        yield one, flaw


def agencies_with_evidence() -> list[UUID]:
    """Return the agencies that have a head or events, the platform first."""
    heads = AgencyHead.objects.values_list("agency_id", flat=True)
    return sorted({*heads, *Event.objects.order_by().values_list("agency_id", flat=True).distinct()})


def first_flaw(agency_id: UUID, anchored: Mapping[int, bytes] = MappingProxyType({})) -> Flaw | None:
    """Return the first flaw of an agency's events, reading them in order and never all at once.

    `anchored` has the MACs of some of them, by number, as they stood when they were anchored.
    """
    head_seq, head_mac, last_seq = ends_of(agency_id)
    expected, previous = 0, b""
    for batch in batches_of(agency_id, head_seq):
        texts = EventText.objects.in_bulk([event.id for event in batch])
        for event in batch:
            expected += 1
            if what := flaw_of(event, expected, previous, texts.get(event.id)):
                return Flaw(agency_id, min(expected, event.seq), what, event.id)
            previous = bytes(event.mac)
            if anchored.get(expected, previous) != previous:
                return Flaw(agency_id, expected, "the event is not the one that was anchored", event.id)
    if expected < head_seq:
        return Flaw(agency_id, expected + 1, "the event is missing")
    if previous != head_mac:
        return Flaw(agency_id, head_seq, "the head does not fit the last event")
    if last_seq > head_seq:
        return Flaw(agency_id, head_seq + 1, "an event stands after the head")
    return cut_tail(agency_id, head_seq, anchored)


def cut_tail(agency_id: UUID, head_seq: int, anchored: Mapping[int, bytes]) -> Flaw | None:
    newest = max(anchored, default=0)
    if newest <= head_seq:
        return None
    return Flaw(agency_id, head_seq + 1, f"the event is missing, and the head goes back: {newest} was anchored")


def ends_of(agency_id: UUID) -> tuple[int, bytes, int]:
    """Return number and MAC of the head and the number of the last event, as they stand at one moment."""
    last = Event.objects.filter(agency_id=OuterRef("agency_id")).order_by("-seq").values("seq")[:1]
    head = AgencyHead.objects.filter(pk=agency_id).values_list("seq", "mac", Subquery(last)).first()
    if head is not None:
        return head[0], bytes(head[1]), head[2] or 0
    newest = Event.objects.filter(agency_id=agency_id).newest_first().first()
    return 0, b"", newest.seq if newest else 0


def batches_of(agency_id: UUID, last_seq: int) -> Iterator[list[Event]]:
    """Yield an agency's events up to a number in their order. Pages by number, so that no snapshot is held open."""
    events = Event.objects.filter(agency_id=agency_id, seq__lte=last_seq).order_by("seq", "id")
    batch = list(events[:ROWS_AT_ONCE])
    while batch:
        yield batch
        batch = list(events.filter(seq__gt=batch[-1].seq)[:ROWS_AT_ONCE])


def flaw_of(event: Event, expected: int, previous: bytes, text: EventText | None) -> str:
    """Return what is wrong with an event that should have the expected number and follow the previous MAC."""
    if event.seq > expected:
        return "the event is missing, the next one there is"
    if event.seq < expected:
        return "the number stands twice"
    if not is_chained(event, previous):
        return "the event is not as it was written"
    return flaw_of_text(event, text)


def is_chained(event: Event, previous: bytes) -> bool:
    mac = bytes(event.mac)
    try:
        return bool(mac) and mac == event.mac_after(previous, mac[0])
    except KeyMissing:
        return False


def flaw_of_text(event: Event, text: EventText | None) -> str:
    """Return what is wrong with the text of an event; an erased one is in order."""
    if event.text_digest is None:
        return "" if text is None else "a text was added to the event"
    if text is None:
        return "the text of the event is missing"
    if text.text is None:
        return "" if text.erased_at else "the text of the event is gone without having been erased"
    if isinstance(text.text, Unreadable):
        return "the text of the event cannot be read"
    is_same = bytes(event.text_digest) in blind_indexes("digests", TEXT_DIGEST, event.id, text.text)
    return "" if is_same else "the text of the event is not the recorded one"


@unit_of_work
def refused(actor: Actor, object_type: str, object_id: UUID) -> Event | None:
    """Record that a signed-in actor was refused an object, once per object and hour (security.md 5.1).

    Call it once the refused transaction has ended: inside of it the record would be rolled back too.
    """
    if not limits.take("evidence.refusals.object", str(actor.id), object_type, object_id):
        return None
    event = record(actor, Action.ACCESS_REFUSED)
    event.object_type, event.object_id = object_type, object_id
    return event


@unit_of_work
def failed_login(actor: Actor, action: Action, person: User | None = None) -> Event | None:
    """Record a failed login beside the person it was tried for, once per source and 10 minutes (security.md 5.1)."""
    if not limits.take("evidence.failures.source", action.value, addresses.source(actor.address)):
        return None
    return record(actor, action, person)
