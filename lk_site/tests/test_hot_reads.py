"""A hot read answers what its queryset answers, whichever way it runs, and outlives a restart of the server."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F, Value
from django.test.utils import CaptureQueriesContext

from lk_site.encryption import encrypted_field, open_cell
from lk_site.hot_reads import Compiled, CompiledObjects, Param, RowAfter, RowBefore
from lk_site.tests.sealed import Mood, Person, Team, new_id

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sealed_tables")]
on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="prepares statements on PostgreSQL only")
NOON = datetime(2025, 3, 12, 12, tzinfo=UTC)

TEAM = Param("team", Team._meta.pk)
BEFORE = RowBefore(
    ("seen_at", "id"), (Param("seen_at", Person._meta.get_field("seen_at")), Param("id", Person._meta.pk))
)
COLUMNS = ("id", "team_id", "title", "badge", "mood", "facts", "seen_at")


def people(actor=TEAM):
    return Person.objects.visible_to(actor).order_by("-seen_at", "-id")


@pytest.fixture
def team():
    """Five people of one team, two of them seen at one moment, and one of another."""
    team, other = Team.objects.create(name="a"), Team.objects.create(name="b")
    moments = [NOON, NOON, *(NOON - timedelta(minutes=n) for n in range(1, 4))]
    rows = [Person(team=team, title=str(n), seen_at=at, facts={"n": n}, phone=f"+7{n}") for n, at in enumerate(moments)]
    Person.objects.bulk_create([*rows, Person(team=other, seen_at=NOON)])
    yield team
    Person.objects.all().delete()
    Team.objects.all().delete()


@pytest.fixture(params=["bare", "counted"])
def way(request):
    """Both ways to the database: the bare cursor, and Django's when statements are counted."""
    if request.param == "bare":
        yield
        return
    with CaptureQueriesContext(connection):
        yield


@pytest.mark.usefixtures("way")
def test_rows_are_those_of_the_queryset(team):
    expected = list(people(team.pk).values_list(*COLUMNS))
    assert Compiled(lambda: people().values_list(*COLUMNS)).rows(team=team.pk) == expected
    assert len(expected) == 5
    assert all(row[6].utcoffset() == timedelta() for row in expected)


@pytest.mark.usefixtures("way")
def test_it_sees_no_more_than_visible_to(team):
    query = Compiled(lambda: people().values_list("title"))
    assert len(query.rows(team=team.pk)) == 5
    assert query.rows(team=new_id()) == []
    assert query.row(team=new_id()) is None


@pytest.mark.usefixtures("way")
def test_a_limit_cuts_each_call(team):
    query = Compiled(lambda: people().values_list("title"))
    assert [len(query.rows(team=team.pk, limit=limit)) for limit in (1, 3, 100)] == [1, 3, 5]
    assert query.row(team=team.pk) == query.rows(team=team.pk)[0]


@pytest.mark.usefixtures("way")
def test_pages_by_row_comparison_repeat_and_skip_nothing(team):
    first = Compiled(lambda: people().values_list("seen_at", "id"))
    after = Compiled(lambda: people().filter(BEFORE).values_list("seen_at", "id"))
    seen = first.rows(team=team.pk, limit=2)
    while page := after.rows(team=team.pk, limit=2, seen_at=seen[-1][0], id=seen[-1][1]):
        seen += page
    assert seen == list(people(team.pk).values_list("seen_at", "id"))


def test_a_row_is_compared_with_plain_values_and_expressions_too(team):
    newest, *rest = people(team.pk)
    assert list(people(team.pk).filter(RowBefore(("seen_at", "id"), (newest.seen_at, newest.pk)))) == rest
    assert list(people(team.pk).exclude(RowBefore(("seen_at", "id"), (newest.seen_at, newest.pk)))) == [newest]
    oldest_first = people(team.pk).filter(RowAfter(("seen_at", "id"), (Value(rest[0].seen_at), rest[0].pk)))
    assert list(oldest_first.order_by(F("seen_at"), "id")) == [newest]


@pytest.mark.parametrize(("columns", "values"), [((), ()), (("a", "b"), (1,))])
def test_a_row_needs_as_many_values_as_columns(columns, values):
    with pytest.raises(ValueError, match="as many values"):
        RowBefore(columns, values)


@pytest.mark.usefixtures("way")
def test_cells_come_sealed_and_open_with_the_key_of_their_row(team):
    rows = Compiled(lambda: people().cells("id", "phone", "email")).rows(team=team.pk)
    field = encrypted_field(Person, "phone")
    assert {open_cell(cell, field, key) for key, cell, _ in rows} == {f"+7{n}" for n in range(5)}
    assert {email for _, _, email in rows} == {None}


@pytest.mark.usefixtures("way")
def test_choices_related_columns_and_lists_of_holes_work(team):
    mood = Person._meta.get_field("mood")
    moods = [Param("one", mood), Param("other", mood)]
    query = Compiled(
        lambda: people().filter(mood__in=moods, badge=None, team__name="a").values_list("team__name", "mood")
    )
    assert query.rows(team=team.pk, one=Mood.CALM, other=Mood.HASTY) == [("a", "calm")] * 5
    assert query.rows(team=team.pk, one=Mood.HASTY, other=Mood.HASTY) == []


def test_a_read_is_one_statement(team, django_assert_num_queries):
    query = Compiled(lambda: people().values_list("id"))
    with django_assert_num_queries(1):
        query.rows(team=team.pk)


@pytest.mark.parametrize("values", [{}, {"team": None, "agent": None}, {"agent": None}])
def test_values_for_other_holes_are_refused(values):
    with pytest.raises(TypeError, match="team"):
        Compiled(lambda: people().values_list("id")).rows(**values)


def test_a_queryset_is_compiled_once(team):
    built: list[int] = []

    def build():
        built.append(1)
        return people().values_list("id")

    query = Compiled(build)
    assert [len(query.rows(team=team.pk)) for _ in range(3)] == [5, 5, 5]
    assert built == [1]


@on_postgresql
def test_it_is_prepared(team):
    query = Compiled(lambda: people().values_list("id"))
    for _ in range(2):
        query.rows(team=team.pk)
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_prepared_statements where statement like '%%sealed_person%%DESC%%'")
        assert cursor.fetchone()[0] >= 1


@on_postgresql
def test_the_index_finds_the_page(team):
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("set local enable_bitmapscan = off")
        cursor.execute("set local enable_sort = off")
    page = people(team.pk).filter(RowBefore(("seen_at", "id"), (NOON, new_id())))[:2]
    plan = page.explain()
    assert "person_page" in plan
    assert "ROW(seen_at, id) <" in plan.split("Index Cond:")[1].splitlines()[0]


@pytest.mark.django_db(transaction=True)
def test_threads_share_a_query(team):
    query = Compiled(lambda: people().values_list(*COLUMNS))
    expected = list(people(team.pk).values_list(*COLUMNS))

    def read(_):
        try:
            return query.rows(team=team.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert all(rows == expected for rows in pool.map(read, range(40)))


# --- faults, on PostgreSQL


def break_connection() -> None:
    """End this connection on the server's side, as a restart does."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    with psycopg.connect(**psycopg_params(), autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [pid])


def psycopg_params() -> dict[str, Any]:
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    settings = connection.settings_dict
    return {driver: settings[name] for name, driver in names.items() if settings[name]}


def read_over_a_broken_connection(query, team):
    break_connection()
    return query.rows(team=team.pk)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_read_outlives_a_restart_of_the_server(team):
    query = Compiled(lambda: people().values_list("id"))
    assert len(query.rows(team=team.pk)) == 5
    assert len(read_over_a_broken_connection(query, team)) == 5


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_read_inside_a_transaction_is_not_tried_again(team):
    query = Compiled(lambda: people().values_list("id"))
    with pytest.raises(OperationalError), transaction.atomic():
        read_over_a_broken_connection(query, team)
    assert len(query.rows(team=team.pk)) == 5


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_read_outlives_a_migration_under_its_prepared_plan(team):
    query = Compiled(lambda: people().values_list("id", "title"))
    for _ in range(3):
        query.rows(team=team.pk)
    with connection.cursor() as cursor:
        cursor.execute("alter table sealed_person alter column title type text")
    assert len(query.rows(team=team.pk)) == 5


@on_postgresql
def test_a_broken_transaction_is_told_as_django_tells_it(team):
    query = Compiled(lambda: people().values_list("id"))
    with transaction.atomic():
        connection.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            query.rows(team=team.pk)


@pytest.mark.usefixtures("way")
def test_objects_are_those_of_the_queryset_with_what_they_point_at(team):
    alone = Person.objects.create(title="alone", seen_at=NOON, phone="+70")
    query = CompiledObjects(Person, lambda: Person.objects.filter(id=Param("id", Person._meta.pk)), "team")
    for expected in [*Person.objects.filter(team=team).select_related("team"), alone]:
        (found,) = query.objects(id=expected.pk)
        assert found == expected
        assert (found.title, found.phone, found.facts, found.team) == (
            expected.title,
            expected.phone,
            expected.facts,
            expected.team,
        )
    found.title = "changed"
    found.save()
    assert Person.objects.get(pk=alone.pk).title == "changed"
    alone.delete()


def test_objects_come_without_further_statements(team, django_assert_num_queries):
    query = CompiledObjects(Person, people, "team")
    with django_assert_num_queries(1):
        assert [person.team.name for person in query.objects(team=team.pk, limit=2)] == ["a", "a"]
