import inspect
import random
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection, transaction

from accounts.actor import Actor
from accounts.models import PLATFORM, Action, AgencyHead, ChangeRecord, Event, EventText, User
from accounts.services import evidence, limits
from accounts.services.unit_of_work import OutsideUnitOfWork, erase_text, record, unit_of_work
from accounts.tests.people import make_agency, make_agent
from accounts.tests.recording import record_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return make_agent()


def events_of(agency_id: UUID) -> list[Event]:
    return list(Event.objects.filter(agency_id=agency_id).order_by("seq"))


def test_events_are_numbered_in_the_order_they_were_recorded(anna):
    with unit_of_work():
        first = record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        second = record(Actor.of(anna), Action.CONSENT_GIVEN, anna)
    record_now(Actor.of(anna), Action.CODE_SENT, anna)
    assert [event.seq for event in events_of(anna.agency_id)] == [1, 2, 3]
    assert [event.id for event in events_of(anna.agency_id)][:2] == [first.id, second.id]
    assert AgencyHead.objects.get(pk=anna.agency_id).seq == 3


def test_an_event_says_who_did_what_to_which_object_from_where(anna):
    actor = Actor.of(anna, address="2001:DB8::1", request_id="r-1")
    event = record_now(
        actor, Action.AGENT_CHANGED, anna, fields=["name"], was="one", count=2, codes=["a", "b"], no=None
    )
    event.refresh_from_db()
    assert (event.actor_kind, event.actor_id, event.address, event.request_id) == (
        "agent",
        anna.pk,
        "2001:db8::1",
        "r-1",
    )
    assert (event.object_type, event.object_id, event.agency_id) == ("user", anna.pk, anna.agency_id)
    assert event.fields == ["name"]
    assert event.data == {"was": "one", "count": 2, "codes": ["a", "b"], "no": None}


def test_an_event_of_an_agency_belongs_to_it_and_one_of_nobodys_to_the_platform():
    agency = make_agency()
    assert record_now(Actor.system(), Action.AGENCY_OPENED, agency).agency_id == agency.pk
    assert record_now(Actor.nobody(), Action.LOGIN_FAILED).agency_id == PLATFORM


def test_a_change_tells_its_fields_and_the_version_it_made(anna):
    with unit_of_work():
        anna.theme = "dark"
        anna.save_changes("theme")
        event = record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
    assert (event.fields, event.version) == (["theme"], 2)


def test_a_change_is_told_once(anna):
    with unit_of_work():
        anna.save_changes("theme")
        anna.save_changes("language", "theme")
        told = record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        looked = record(Actor.of(anna), Action.PERSON_REVEALED, anna)
    assert (told.fields, told.version) == (["theme", "language"], 3)
    assert (looked.fields, looked.version) == ([], None)


def test_what_changes_nothing_makes_no_version(anna):
    assert record_now(Actor.of(anna), Action.PERSON_REVEALED, anna).version is None


def test_one_agency_costs_three_statements(anna, django_assert_num_queries):
    with django_assert_num_queries(3 + 2), unit_of_work():  # and the savepoint of this test
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)


def test_evidence_is_written_after_everything_else(anna, django_assert_num_queries):
    with django_assert_num_queries(6) as queries, unit_of_work():
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        User.objects.filter(pk=anna.pk).update(theme="dark")
    verbs = [query["sql"].split()[0] for query in queries.captured_queries]
    assert verbs == ["SAVEPOINT", "UPDATE", "INSERT", "INSERT", "UPDATE", "RELEASE"]


def test_agencies_are_locked_in_ascending_order(anna, django_assert_num_queries):
    gleb = make_agent()
    with django_assert_num_queries(8) as queries, unit_of_work():
        record(Actor.of(gleb), Action.PROFILE_CHANGED, gleb)
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
    heads = [query["sql"] for query in queries.captured_queries if "ON CONFLICT" in query["sql"]]
    lower, higher = sorted([anna.agency_id, gleb.agency_id])
    assert lower.hex in heads[0].replace("-", "")
    assert higher.hex in heads[1].replace("-", "")


@unit_of_work
def fail_to_change(person: User) -> None:
    person.theme = "dark"
    person.save_changes("theme")
    record(Actor.of(person), Action.ROLE_CHANGED, person, text="why")
    raise ZeroDivisionError


def test_a_rollback_leaves_no_evidence(anna):
    with pytest.raises(ZeroDivisionError):
        fail_to_change(anna)
    record_now(Actor.of(anna), Action.CONSENT_GIVEN, anna)
    assert [(event.seq, event.action) for event in events_of(anna.agency_id)] == [(1, Action.CONSENT_GIVEN)]
    assert not EventText.objects.exists()


def test_a_unit_that_is_told_to_roll_back_writes_nothing(anna):
    with transaction.atomic(), unit_of_work():
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        transaction.set_rollback(True)
    assert events_of(anna.agency_id) == []


def test_a_nested_unit_joins_the_outer_one(anna):
    @unit_of_work
    def inner():
        record(Actor.of(anna), Action.CONSENT_GIVEN, anna)

    with unit_of_work():
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        inner()
        assert events_of(anna.agency_id) == []
    assert [event.action for event in events_of(anna.agency_id)] == [Action.PROFILE_CHANGED, Action.CONSENT_GIVEN]


def test_a_nested_unit_that_fails_takes_only_its_own_evidence_with_it(anna):
    with unit_of_work():
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        with pytest.raises(ZeroDivisionError):
            fail_to_change(anna)
        record(Actor.of(anna), Action.CODE_SENT, anna)
    assert [event.action for event in events_of(anna.agency_id)] == [Action.PROFILE_CHANGED, Action.CODE_SENT]
    assert not EventText.objects.exists()
    assert not ChangeRecord.objects.filter(action=ChangeRecord.Action.UPDATE).exists()


def test_a_failed_unit_does_not_leak_into_the_next(anna):
    with pytest.raises(ZeroDivisionError):
        fail_to_change(anna)
    with pytest.raises(OutsideUnitOfWork):
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)


def test_recording_outside_of_a_unit_is_a_mistake_in_the_code(anna):
    with pytest.raises(OutsideUnitOfWork, match=r"profile\.changed"):
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)


@pytest.mark.parametrize("fact", [1.5, {"a": 1}, [1.5], b"bytes", object()])
def test_an_event_carries_codes_only(anna, fact):
    with pytest.raises(TypeError, match="fact of an event"), unit_of_work():
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna, fact=fact)


def test_a_text_stands_sealed_in_a_row_of_its_own(anna):
    event = record_now(Actor.of(anna), Action.ROLE_CHANGED, anna, text="because I said so")
    assert EventText.objects.get(pk=event.id).text == "because I said so"
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM accounts_eventtext")
        assert b"because" not in bytes(cursor.fetchone()[0])
    event.refresh_from_db()
    assert "because" not in str(vars(event))
    assert event.text_digest


def test_equal_texts_have_different_digests(anna):
    one, two = (record_now(Actor.of(anna), Action.ROLE_CHANGED, anna, text="sold") for _ in range(2))
    assert one.text_digest != two.text_digest


def test_an_erased_text_leaves_its_event_and_the_chain_whole(anna):
    event = record_now(Actor.of(anna), Action.NOTE_ADDED, anna, text="call on Monday")
    kept = record_now(Actor.of(anna), Action.NOTE_ADDED, anna, text="kept")
    assert erase_text([event.id]) == 1
    assert EventText.objects.get(pk=event.id).text is None
    assert EventText.objects.get(pk=kept.id).text == "kept"
    assert Event.objects.filter(pk=event.id).exists()
    assert evidence.first_flaw(anna.agency_id) is None
    assert erase_text([event.id]) == 0


def test_a_service_keeps_its_name_and_signature():
    @unit_of_work
    def move(deal: int, *, actor: str) -> str:
        """Move it."""
        return f"{deal} {actor}"

    assert (move.__name__, move.__doc__) == ("move", "Move it.")
    assert list(inspect.signature(move).parameters) == ["deal", "actor"]
    assert move(1, actor="a") == "1 a"


def test_changed_fields_since_a_version_are_those_of_later_events(anna):
    for field in ("theme", "language", "theme", "name"):
        with unit_of_work():
            anna.save_changes(field)
            record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
    assert Event.objects.changed_fields_since(anna.pk, 2) == ["language", "theme", "name"]
    assert Event.objects.changed_fields_since(anna.pk, anna.version) == []


WRITERS, ROUNDS = 8, 12


@pytest.mark.django_db(transaction=True)
def test_eight_writers_with_rollbacks_leave_no_gap_and_stand_in_commit_order():
    agency_id, other_id = make_agency().pk, make_agency().pk
    seen: list[int] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write_much, seed, agency_id, other_id) for seed in range(WRITERS)]
        while not all(writer.done() for writer in writers):
            new = Event.objects.filter(agency_id=agency_id, seq__gt=seen[-1] if seen else 0)
            seen += new.order_by("seq").values_list("seq", flat=True)
    committed = sum(writer.result() for writer in writers)
    events = events_of(agency_id)
    assert [event.seq for event in events] == list(range(1, committed + 1))
    assert seen == list(range(1, len(seen) + 1))  # whoever follows the numbers misses none
    for name in range(3):  # the counter's own order is that of the commits
        assert (order := [e.data["left"] for e in events if e.data["name"] == name]) == sorted(order, reverse=True)
    assert [flaw for _, flaw in evidence.verify()] == [None, None]


class Undone(Exception):
    pass


def write_much(seed: int, agency_id: UUID, other_id: UUID) -> int:
    """Write units of one to three events of things that others change too, roll some back; return how many stayed."""
    chance, stayed = random.Random(seed), 0
    for _ in range(ROUNDS):
        try:
            stayed += write_some(chance, agency_id, other_id)
        except Undone:
            pass
        finally:
            connection.close()
    return stayed


@unit_of_work
def write_some(chance: random.Random, agency_id: UUID, other_id: UUID) -> int:
    names = sorted(chance.sample(range(3), chance.randint(1, 3)))
    for name in names:
        taken = limits.take("person", str(name))
        assert isinstance(taken, limits.Taken)
        record(Actor.system(), Action.ADMIN_ACTION, agency_id=agency_id, name=name, left=taken.left)
        if chance.random() < 0.3:
            time.sleep(chance.random() * 0.01)
    if chance.random() < 0.5:
        record(Actor.system(), Action.ADMIN_ACTION, agency_id=other_id)
    if chance.random() < 0.2:
        raise Undone
    return len(names)
