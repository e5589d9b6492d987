from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection

from accounts import triggers
from accounts.actor import Actor
from accounts.models import PLATFORM, Action, AgencyHead, Event, EventText, User
from accounts.models.base import new_id
from accounts.services import evidence
from accounts.services.unit_of_work import erase_text
from accounts.tests.people import make_agent
from accounts.tests.recording import record_now
from lk_site.encryption.keys import new_key
from lk_site.errors import Stale, VersionRequired

pytestmark = pytest.mark.django_db

EVENTS = 6


@pytest.fixture
def anna() -> User:
    """Anna, of an agency with six events, each with a text."""
    anna = make_agent()
    actor = Actor.of(anna, address="192.0.2.1", request_id="r-1")
    for number in range(EVENTS):
        record_now(actor, Action.NOTE_ADDED, anna, deal_id=new_id(), client_id=new_id(), version=number, text="call")
    return anna


@contextmanager
def lifted() -> Iterator[None]:
    """Lift the triggers of events, as who owns the tables could."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE accounts_event DISABLE TRIGGER USER")
        else:
            for name in triggers.triggers_of(Event, connection):
                cursor.execute(f"DROP TRIGGER {name}")
    yield
    triggers.install()


def event(number: int) -> Event:
    return Event.objects.exclude(agency_id=PLATFORM).get(seq=number)


def flaw(person: User) -> str:
    assert person.agency_id
    found = dict(evidence.verify())[person.agency_id]
    assert evidence.first_flaw(person.agency_id) == found
    return str(found).split(" (event")[0]


def test_evidence_that_nobody_touched_is_whole(anna):
    record_now(Actor.nobody(), Action.LOGIN_FAILED)
    assert list(evidence.verify()) == [(PLATFORM, None), (anna.agency_id, None)]
    assert list(evidence.verify(anna.agency_id)) == [(anna.agency_id, None)]


def test_an_agency_without_events_is_whole(anna):
    assert list(evidence.verify(new_id())) != []
    assert evidence.first_flaw(new_id()) is None


def test_it_is_whole_across_batches(anna, monkeypatch):
    monkeypatch.setattr(evidence, "ROWS_AT_ONCE", 2)
    assert flaw(anna) == "None"


EDITS = {
    "id": new_id(),
    "at": datetime(2026, 1, 1, tzinfo=UTC),
    "action": Action.NOTE_EDITED,
    "actor_kind": "staff",
    "actor_id": new_id(),
    "address": "192.0.2.2",
    "request_id": "r-2",
    "object_type": "deal",
    "object_id": None,
    "deal_id": new_id(),
    "client_id": None,
    "version": None,
    "fields": ["price"],
    "data": {"was": "new"},
    "text_digest": None,
    "mac": b"\x01" + b"0" * 32,
}


def test_every_column_is_tried_below():
    assert {field.name for field in Event._meta.concrete_fields} == {*EDITS, "agency_id", "seq"}


@pytest.mark.parametrize("column", EDITS)
def test_an_edit_of_any_column_is_found(anna, column):
    with lifted():
        Event.objects.filter(pk=event(3).pk).update(**{column: EDITS[column]})
    assert flaw(anna) == "number 3: the event is not as it was written"


def test_a_deletion_is_found(anna):
    with lifted():
        event(3).delete()
    assert flaw(anna) == "number 3: the event is missing, the next one there is"


def test_a_deletion_that_closes_the_gap_is_found(anna):
    with lifted():
        event(3).delete()
        for number in range(4, EVENTS + 1):
            Event.objects.filter(pk=event(number).pk).update(seq=number - 1)
        AgencyHead.objects.filter(pk=anna.agency_id).update(seq=EVENTS - 1)
    assert flaw(anna) == "number 3: the event is not as it was written"


def test_a_cut_tail_is_found_by_the_head(anna):
    with lifted():
        event(EVENTS).delete()
    assert flaw(anna) == f"number {EVENTS}: the event is missing"


def test_a_swap_is_found(anna):
    with lifted():
        third, fourth = event(3), event(4)
        for row, seq in ((third, 99), (fourth, 3), (third, 4)):
            Event.objects.filter(pk=row.pk).update(seq=seq)
    assert flaw(anna) == "number 3: the event is not as it was written"


@pytest.mark.parametrize("with_head", [False, True])
def test_an_insertion_is_found(anna, with_head):
    last = event(EVENTS)
    last.id, last.seq = new_id(), EVENTS + 1
    last.save(force_insert=True)
    if with_head:
        AgencyHead.objects.filter(pk=anna.agency_id).update(seq=last.seq, mac=last.mac)
        assert flaw(anna) == "number 7: the event is not as it was written"
    else:
        assert flaw(anna) == "number 7: an event stands after the head"


def test_an_event_moved_to_another_agency_is_found_in_both(anna):
    gleb = make_agent()
    record_now(Actor.of(gleb), Action.CODE_SENT, gleb)
    with lifted():
        Event.objects.filter(pk=event(EVENTS).pk).update(agency_id=gleb.agency_id, seq=2)
    AgencyHead.objects.filter(agency_id=gleb.agency_id or PLATFORM).update(seq=2)
    assert flaw(gleb) == "number 2: the event is not as it was written"
    assert flaw(anna) == "number 6: the event is missing"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"mac": b"\x01" + b"0" * 32}, "number 6: the head does not fit the last event"),
        ({"seq": 5}, "number 5: the head does not fit the last event"),
        ({"seq": 9}, "number 7: the event is missing"),
    ],
)
def test_a_head_that_does_not_fit_is_found(anna, change, what):
    AgencyHead.objects.filter(pk=anna.agency_id).update(**change)
    assert flaw(anna) == what


def test_a_head_that_is_gone_is_found(anna):
    AgencyHead.objects.filter(pk=anna.agency_id).delete()
    assert flaw(anna) == "number 1: an event stands after the head"


def replace_text(id: UUID) -> None:
    EventText.objects.filter(pk=id).delete()
    EventText.objects.create(event_id=id, text="meet")


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (replace_text, "is not the recorded one"),
        (lambda id: EventText.objects.filter(pk=id).delete(), "is missing"),
        (lambda id: EventText.objects.filter(pk=id).update(text=None), "is gone without having been erased"),
        (lambda id: EventText.objects.filter(pk=id).update(text=""), "is not the recorded one"),
    ],
)
def test_a_text_that_is_not_the_recorded_one_is_found(anna, act: Callable[[UUID], object], what: str):
    act(event(3).pk)
    assert flaw(anna) == f"number 3: the text of the event {what}"


def test_a_text_moved_to_another_event_is_found(anna):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_eventtext SET text = (SELECT text FROM accounts_eventtext LIMIT 1)")
    assert "the text of the event cannot be read" in flaw(anna)


def test_a_text_added_to_an_event_is_found(anna):
    silent = record_now(Actor.of(anna), Action.CODE_SENT, anna)
    EventText.objects.create(event_id=silent.id, text="put in later")
    assert flaw(anna) == "number 7: a text was added to the event"


def test_an_erased_text_is_in_order(anna):
    erase_text([event(3).pk])
    assert flaw(anna) == "None"


def test_a_chain_goes_on_under_a_new_key_and_needs_the_old_one(anna, settings):
    old = settings.KEYS
    settings.KEYS = {**old, "audit": [{"id": 2, "key": new_key()}, *old["audit"]]}
    record_now(Actor.of(anna), Action.CODE_SENT, anna)
    assert bytes(event(7).mac)[0] == 2
    assert flaw(anna) == "None"
    settings.KEYS = {**old, "audit": settings.KEYS["audit"][:1]}
    assert flaw(anna) == "number 1: the event is not as it was written"


def test_the_command_names_the_first_bad_row_and_ends_with_status_1(anna, capsys):
    call_command("verify_audit")
    assert capsys.readouterr().out == f"{anna.agency_id} ok\n"
    third = event(3)
    with lifted():
        Event.objects.filter(pk__in=[third.pk, event(5).pk]).update(action=Action.NOTE_EDITED)
    with pytest.raises(SystemExit, match="1"):
        call_command("verify_audit", agency=anna.agency_id)
    assert f"{anna.agency_id} number 3: the event is not" in (out := capsys.readouterr().out)
    assert str(third.id) in out


def test_checking_does_not_hold_all_rows_at_once(anna, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(evidence, "ROWS_AT_ONCE", 2)
    with django_assert_num_queries(1 + 2 * EVENTS // 2 + 1):
        assert evidence.first_flaw(anna.agency_id) is None


# --- what no service records


def test_a_refusal_is_recorded_once_per_object_and_hour(anna):
    deal_id = new_id()
    first = evidence.refused(Actor.of(anna), "deal", deal_id)
    assert first
    assert (first.object_type, first.object_id, first.action) == ("deal", deal_id, Action.ACCESS_REFUSED)
    assert evidence.refused(Actor.of(anna), "deal", deal_id) is None
    assert evidence.refused(Actor.of(anna), "deal", new_id())
    assert evidence.refused(Actor.of(make_agent(anna.agency)), "deal", deal_id)
    assert flaw(anna) == "None"


def test_a_failed_login_of_nobody_is_recorded_once_per_source():
    stranger = Actor.nobody(address="2001:db8::1")
    assert evidence.failed_login(stranger, Action.LOGIN_FAILED)
    assert evidence.failed_login(stranger, Action.LOGIN_FAILED) is None
    assert evidence.failed_login(Actor.nobody(address="2001:db8::ffff"), Action.LOGIN_FAILED) is None  # the same /64
    assert evidence.failed_login(Actor.nobody(address="2001:db8:0:1::1"), Action.LOGIN_FAILED)
    assert Event.objects.filter(agency_id=PLATFORM).count() == 2


# --- versions


def test_a_change_needs_the_version_it_was_made_from(anna):
    with pytest.raises(VersionRequired):
        anna.require_version(None)
    anna.require_version(anna.version)


def test_a_stale_change_learns_the_version_and_what_changed_since(anna):
    anna.save_changes("theme")
    record_now(Actor.of(anna), Action.PROFILE_CHANGED, anna)
    with pytest.raises(Stale) as refusal:
        anna.require_version(1)
    assert (refusal.value.current_version, refusal.value.changed_fields) == (2, ["theme"])
