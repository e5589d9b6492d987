import pytest
from django.db import connection

from accounts.actor import Actor, acting, current_actor
from accounts.models import Action, Agency, ChangeRecord, Role, User
from accounts.services.unit_of_work import record, unit_of_work
from accounts.tests.people import make_agency, make_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return make_agent(make_agency("Hidden doors"), "Marfa-Zinaida", phone="79161112233")


def newest() -> ChangeRecord:
    return ChangeRecord.objects.latest("pk")


def test_a_change_record_names_fields_and_holds_no_value(anna):
    anna.name, anna.theme = "Praskovya", "dark"
    anna.save()
    assert newest().action == ChangeRecord.Action.UPDATE
    assert newest().changes == {"name": ["•••", "•••"], "theme": ["•••", "•••"]}
    assert newest().object_pk == str(anna.pk)


def test_no_value_of_a_person_or_an_agency_stands_in_the_table(anna):
    anna.role = Role.HEAD
    anna.set_phone("79164445566")
    anna.save()
    anna.agency.name = "Other doors"
    anna.agency.save()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_changerecord")
        dump = str(cursor.fetchall())
    for value in ("Marfa", "9161112233", "9164445566", "head", "Hidden", "Other doors"):
        assert value not in dump


def test_what_is_not_tracked_leaves_no_record(anna):
    before = ChangeRecord.objects.count()
    anna.consent_version = "2"
    anna.save(update_fields=["consent_version"])
    assert ChangeRecord.objects.count() == before


def test_the_actor_in_force_is_named(anna):
    actor = Actor.of(anna, address="192.0.2.1", request_id="r-1")
    with acting(actor):
        anna.theme = "dark"
        anna.save()
        assert current_actor() == actor
    assert (newest().actor_id, newest().remote_addr, newest().request_id) == (anna.pk, "192.0.2.1", "r-1")


def test_the_actor_that_a_service_names_comes_before_the_one_in_force(anna):
    vera = make_agent(anna.agency, role=Role.HEAD)
    with acting(Actor.of(anna, address="192.0.2.1")), unit_of_work():
        anna.theme = "dark"
        anna.save_changes("theme")
        record(Actor.of(vera, address="192.0.2.2"), Action.AGENT_CHANGED, anna)
    assert (newest().actor_id, newest().remote_addr) == (vera.pk, "192.0.2.2")


def test_actors_in_force_nest(anna):
    with acting(Actor.of(anna)):
        with acting(Actor.nobody(request_id="r-2")):
            assert current_actor().request_id == "r-2"
        assert current_actor().user == anna
    assert current_actor() == Actor.system()


def test_records_of_a_unit_are_written_in_one_statement_at_its_end(anna, django_assert_num_queries):
    boris = make_agent(anna.agency)
    with django_assert_num_queries(2 + 2 * 2 + 1) as queries, unit_of_work():  # savepoint; old row and save, twice
        for person in (anna, boris):
            person.theme = "dark"
            person.save_changes("theme")
    assert 'INSERT INTO "accounts_changerecord"' in queries.captured_queries[-2]["sql"]
    assert ChangeRecord.objects.filter(action=ChangeRecord.Action.UPDATE).count() == 2


def test_a_record_outside_of_a_unit_is_written_at_once():
    agency = make_agency()
    assert newest().object_pk == str(agency.pk)
    assert newest().actor_id is None


def test_the_object_is_shown_without_personal_data(anna):
    assert ChangeRecord.objects.filter(object_pk=str(anna.pk)).latest("pk").object_repr == f"user {anna.pk}"


def test_a_deletion_is_recorded():
    agency = Agency.objects.create(name="Short-lived")
    pk = agency.pk
    agency.delete()
    assert (newest().object_pk, newest().action) == (str(pk), ChangeRecord.Action.DELETE)
