"""A hot write stores what Django's own would, whichever way it runs."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext

from lk_site import hot_writes
from lk_site.tests.sealed import PHONE, Person, Visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sealed_tables", "way")]
NOON = datetime(2025, 3, 12, 12, tzinfo=UTC)


@pytest.fixture(params=["bare", "counted"])
def way(request):
    """Both ways to the database: the bare cursor, and Django's when statements are counted."""
    if request.param == "bare":
        yield
        return
    with CaptureQueriesContext(connection):
        yield


def person(**values: Any) -> Person:
    return Person(**{"title": "Анна", "phone": PHONE, "facts": {"n": [1, None]}, "seen_at": NOON, **values})


def columns(row: Person) -> list[Any]:
    return [getattr(row, field.attname) for field in Person._meta.concrete_fields if not field.primary_key]


def test_a_row_is_inserted_as_save_inserts_it():
    hot, plain = person(), person()
    hot_writes.insert(hot)
    plain.save(force_insert=True)
    assert columns(Person.objects.get(pk=hot.pk)) == columns(Person.objects.get(pk=plain.pk)) == columns(person())
    assert not hot._state.adding
    hot.title = "Вера"
    hot.save()
    assert Person.objects.get(pk=hot.pk).title == "Вера"


def test_its_signals_are_sent():
    told: list[tuple[str, Any]] = []

    def before(instance: Any, **kwargs: Any) -> None:
        told.append(("before", instance))

    def after(instance: Any, created: bool, **kwargs: Any) -> None:
        told.append(("created" if created else "changed", instance))

    pre_save.connect(before, sender=Person)
    post_save.connect(after, sender=Person)
    try:
        hot_writes.insert(row := person())
    finally:
        pre_save.disconnect(before, sender=Person)
        post_save.disconnect(after, sender=Person)
    assert told == [("before", row), ("created", row)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_many_rows_are_inserted_in_one_statement(count):
    rows = [person(badge=str(number)) for number in range(count)]
    with CaptureQueriesContext(connection) as captured:
        hot_writes.insert_all(rows)
    assert len(captured) == min(count, 1)
    assert {row.pk: row.badge for row in Person.objects.all()} == {row.pk: row.badge for row in rows}


def test_very_many_take_a_few_statements(monkeypatch):
    monkeypatch.setattr(hot_writes, "PARAMETERS_AT_MOST", 20)
    with CaptureQueriesContext(connection) as captured:
        hot_writes.insert_all([person(badge=str(number)) for number in range(5)])
    assert len(captured) == 3
    assert Person.objects.count() == 5


def test_keys_that_the_database_makes_are_left_to_it():
    hot_writes.insert(row := person())
    hot_writes.insert_all([Visit(person=row), Visit(person=row)])
    assert len({visit.pk for visit in Visit.objects.all()}) == 2


def test_only_the_named_fields_are_written():
    hot_writes.insert(row := person(email="anna@example.ru"))
    row.title, row.phone, row.facts, row.email = "Вера", "+79160000000", {}, "vera@example.ru"
    hot_writes.update(row, "title", "phone", "facts")
    fresh = Person.objects.get(pk=row.pk)
    assert (fresh.title, fresh.phone, fresh.facts, fresh.email) == ("Вера", "+79160000000", {}, "anna@example.ru")


def test_a_constraint_is_told_as_django_tells_it():
    hot_writes.insert(person(badge="1"))
    with pytest.raises(IntegrityError), transaction.atomic():
        hot_writes.insert(person(badge="1"))
    assert Person.objects.count() == 1
