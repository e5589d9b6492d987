"""A unit of work: one transaction, whose evidence is numbered, chained and written as its last statements.

The row of an agency's numbers is the last lock taken and the transaction ends right after it, so numbers have no gaps
and stand in commit order (measured: 8 writers with rollbacks, none lost, none out of order). Taken earlier, that lock
would make agents of one agency wait for each other, and deadlock.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from ipaddress import ip_address
from itertools import groupby
from typing import ParamSpec, TypeVar, overload
from uuid import UUID

from django.db import connection, models, transaction
from django.utils import timezone

from accounts.actor import Actor, current_actor
from accounts.models import PLATFORM, Action, AgencyHead, ChangeRecord, Event, EventText
from accounts.models.base import VersionedModel
from lk_site import hot_writes
from lk_site.encryption import blind_index

P = ParamSpec("P")
R = TypeVar("R")
Fact = str | int | bool | None | list[str]  # what an event may carry besides ids: codes, never personal data

TEXT_DIGEST = "event_text"
NUMBER_EVENTS = """
INSERT INTO {head} (agency_id, seq, mac, anchored_seq) VALUES (%s, %s, %s, 0)
ON CONFLICT (agency_id) DO UPDATE SET seq = {head}.seq + excluded.seq
RETURNING seq, mac
"""


class OutsideUnitOfWork(RuntimeError):
    """Evidence was recorded where no unit of work would write it: a mistake in the calling code."""


@dataclass
class Unit:
    """What a unit of work has collected so far."""

    events: list[Event] = field(default_factory=list)
    texts: list[EventText] = field(default_factory=list)
    changes: list[ChangeRecord] = field(default_factory=list)
    actor: Actor | None = None

    def keep(self, event: Event, text: str, actor: Actor) -> None:
        if text:
            event.text_digest = text_digest(event.id, text)
            self.texts.append(EventText(event_id=event.id, text=text))
        self.events.append(event)
        self.actor = actor

    def mark(self) -> tuple[int, int, int]:
        return len(self.events), len(self.texts), len(self.changes)

    def drop_after(self, mark: tuple[int, int, int]) -> None:
        """Forget what was collected after the mark: the database has forgotten it too."""
        events, texts, changes = mark
        del self.events[events:], self.texts[texts:], self.changes[changes:]


RUNNING: ContextVar[Unit | None] = ContextVar("unit_of_work", default=None)


@overload
def unit_of_work(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def unit_of_work() -> AbstractContextManager[None]: ...
def unit_of_work(function: Callable[P, R] | None = None, /) -> Callable[P, R] | AbstractContextManager[None]:
    """Run a service, or the body of a `with`, in one transaction that ends with its evidence.

    A unit inside another joins it as a savepoint: if its exception is caught outside of it, what it did and what it
    recorded is undone, and the rest goes on. Everything is written when the outermost unit ends.
    """
    if function is None:
        return joined_or_new_unit()

    @wraps(function)
    def in_unit(*args: P.args, **kwargs: P.kwargs) -> R:
        with joined_or_new_unit():
            return function(*args, **kwargs)

    return in_unit


@contextmanager
def joined_or_new_unit() -> Iterator[None]:
    unit = RUNNING.get()
    with new_unit() if unit is None else nested_in(unit):
        yield


@contextmanager
def new_unit() -> Iterator[None]:
    unit = Unit()
    token = RUNNING.set(unit)
    try:
        with transaction.atomic():
            yield
            if not transaction.get_rollback():
                write(unit)
    finally:
        RUNNING.reset(token)


@contextmanager
def nested_in(unit: Unit) -> Iterator[None]:
    mark = unit.mark()
    try:
        with transaction.atomic():
            yield
    except BaseException:
        unit.drop_after(mark)
        raise


def record(
    actor: Actor,
    action: Action,
    obj: models.Model | None = None,
    *,
    agency_id: UUID | None = None,
    deal_id: UUID | None = None,
    client_id: UUID | None = None,
    fields: Iterable[str] = (),
    version: int | None = None,
    text: str = "",
    **data: Fact,
) -> Event:
    """Record who did what to which object, to be written at the end of the running unit of work; return the event.

    Ids of agency, deal and client are taken from the object where they are not named, names of changed fields and the
    version they made from what it saved since its last event. `text` is sealed in a row of its own; `data` is for codes
    only. Raises OutsideUnitOfWork.
    """
    unit = RUNNING.get()
    if unit is None:
        raise OutsideUnitOfWork(f"{action.value} was recorded outside of a unit of work")
    check_facts(data)
    saved = tell_changes(obj)
    changed = list(dict.fromkeys(fields or saved))
    event = Event(
        agency_id=agency_id or agency_of(obj) or actor.agency_id or PLATFORM,
        action=action,
        object_type=object_type(obj),
        object_id=obj.pk if obj else None,
        deal_id=deal_id or id_in("deal", obj),
        client_id=client_id or id_in("client", obj),
        fields=changed,
        version=version_made(action, obj, changed) if version is None else version,
        data=data,
        **who(actor),
    )
    unit.keep(event, text, actor)
    return event


def keep_change_record(change: ChangeRecord) -> ChangeRecord:
    """Keep a change record for the end of the running unit of work, or write it now where there is none."""
    unit = RUNNING.get()
    if unit is None:
        stamp(change, current_actor())
        change.save(force_insert=True)
    else:
        unit.changes.append(change)
    return change


@unit_of_work
def erase_text(event_ids: Iterable[UUID]) -> int:
    """Blank the texts of these events and return how many there were; events and their digests stay."""
    texts = EventText.objects.filter(pk__in=list(event_ids), erased_at=None)
    return texts.update(text=None, erased_at=timezone.now())


def text_digest(event_id: UUID, text: str) -> bytes:
    """Return what an event keeps of its text: enough to prove it, and different for equal texts of two events."""
    return blind_index("digests", TEXT_DIGEST, event_id, text)


def tell_changes(obj: models.Model | None) -> tuple[str, ...]:
    """Return the fields that an object has saved since the last event told of it; each is told once."""
    if not isinstance(obj, VersionedModel):
        return ()
    told, obj.changed_fields = obj.changed_fields, ()
    return told


def version_made(action: Action, obj: models.Model | None, changed: list[str]) -> int | None:
    """Return the version that a change or a creation made; what changes nothing makes none."""
    made: int | None = getattr(obj, "version", None) if changed or action.value.endswith(".created") else None
    return made


def who(actor: Actor) -> dict[str, object]:
    return {
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "address": actor.address and str(ip_address(actor.address)),
        "request_id": actor.request_id,
    }


def check_facts(data: dict[str, Fact]) -> None:
    """Raise TypeError for what an event cannot carry the same way on both databases."""
    for name, value in data.items():
        parts = value if isinstance(value, list) else [value]
        if not all(part is None or type(part) in (str, int, bool) for part in parts):
            raise TypeError(f"{name} of an event must be a code, a number, a truth or a list of codes")


def object_type(obj: models.Model | None) -> str:
    return obj._meta.model_name or "" if obj else ""


def agency_of(obj: models.Model | None) -> UUID | None:
    agency_id: UUID | None = obj.pk if object_type(obj) == "agency" and obj else getattr(obj, "agency_id", None)
    return agency_id


def id_in(name: str, obj: models.Model | None) -> UUID | None:
    """Return the id of the deal or the client that an object is or belongs to."""
    found: UUID | None = obj.pk if object_type(obj) == name and obj else getattr(obj, f"{name}_id", None)
    return found


def stamp(change: ChangeRecord, actor: Actor) -> None:
    change.actor_id = actor.user_id
    change.remote_addr = actor.address
    change.request_id = actor.request_id


def write(unit: Unit) -> None:
    """Write what a unit has collected: one statement for change records, one for texts, three for each agency."""
    if unit.changes:
        for change in unit.changes:
            stamp(change, unit.actor or current_actor())
        hot_writes.insert_all(unit.changes)
    if unit.texts:
        hot_writes.insert_all(unit.texts)
    in_order = sorted(unit.events, key=lambda event: event.agency_id)  # stable: an agency's events stay in order
    for agency_id, events in groupby(in_order, key=lambda event: event.agency_id):
        append(agency_id, list(events))


def append(agency_id: UUID, events: list[Event]) -> None:
    """Number events after the agency's last one and chain them to it; nobody else appends there until the commit."""
    last, mac = take_numbers(agency_id, len(events))
    for seq, event in enumerate(events, last - len(events) + 1):
        event.seq = seq
        event.mac = mac = event.mac_after(mac)
    hot_writes.insert_all(events)
    hot_writes.update(AgencyHead(pk=agency_id, mac=mac), "mac")


def take_numbers(agency_id: UUID, count: int) -> tuple[int, bytes]:
    """Lock the agency's head, and return its last number raised by `count`, and the MAC of its last event."""
    head = AgencyHead._meta
    key = head.pk.get_db_prep_value(agency_id, connection)
    numbering = NUMBER_EVENTS.format(head=connection.ops.quote_name(head.db_table))
    ((seq, mac),) = hot_writes.run(numbering, [key, count, b""])
    return seq, bytes(mac)
