"""Queries refuse to sort, compute, compare or overwrite by ciphertext, and hand cells out unopened."""

from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import connection, models, transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Lower
from django.test.utils import CaptureQueriesContext, isolate_apps

from lk_site.encryption import EncryptedModel, EncryptedTextField, Unreadable, encrypted_field, open_cell
from lk_site.tests.sealed import PHONE, Person, Visit, anna, new_id, reloaded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sealed_tables")]

LOOKUPS = [{"phone": PHONE}, {"phone__contains": "1"}, {"phone__in": [PHONE]}, {"phone__regex": "1"}, {"phone": None}]


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_no_lookup_but_isnull_looks_into_it(lookup):
    with pytest.raises(FieldError):
        Person.objects.filter(**lookup)
    with pytest.raises(FieldError):
        Person.objects.exclude(**lookup)
    with pytest.raises(FieldError):
        Visit.objects.filter(**{f"person__{name}": value for name, value in lookup.items()})


REFUSED = {
    "update": lambda rows: rows.update(phone=PHONE),
    "update by expression": lambda rows: rows.update(phone=F("title")),
    "update from it": lambda rows: rows.update(title=F("phone")),
    "update from a function of it": lambda rows: rows.update(title=Lower("phone")),
    "bulk_update": lambda rows: rows.bulk_update(list(rows), ["phone"]),
    "order_by": lambda rows: rows.order_by("-phone"),
    "order_by expression": lambda rows: rows.order_by(F("phone").desc()),
    "order_by function": lambda rows: rows.order_by(Lower("phone")),
    "values": lambda rows: rows.values("phone"),
    "values_list": lambda rows: rows.values_list("phone", flat=True),
    "get_or_create by it": lambda rows: rows.get_or_create(phone=PHONE),
    "upsert": lambda rows: rows.bulk_create(
        [Person(badge="7", phone="+75")], update_conflicts=True, unique_fields=["badge"], update_fields=["phone"]
    ),
    "update past our queries": lambda rows: QuerySet(Person).update(phone=PHONE),
    "expression past our queries": lambda rows: QuerySet(Person).update(phone=F("title")),
    "case past our queries": lambda rows: QuerySet(Person).update(
        phone=Case(When(title="a", then=Value("x")), default=F("phone"))
    ),
    "bulk_update past our queries": lambda rows: QuerySet(Person).bulk_update(list(rows), ["phone"]),
}


@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
def test_queries_that_would_sort_compute_or_overwrite_are_refused(query):
    row = anna(badge="7")
    with pytest.raises(FieldError), transaction.atomic():
        query(Person.objects.all())
    assert reloaded(row).phone == PHONE


@pytest.mark.parametrize("option", ["primary_key", "unique", "db_index"])
def test_it_takes_no_index_of_its_own(option):
    options: dict[str, Any] = {option: True}
    with pytest.raises(FieldError):
        EncryptedTextField("word", **options)


@isolate_apps("lk_site")
def test_a_model_that_cannot_keep_it_is_found_by_the_checks():
    class Loose(models.Model):  # noqa: DJ008
        word = EncryptedTextField()

        class Meta:
            app_label = "lk_site"

    class Numbered(EncryptedModel):
        word = EncryptedTextField()

        class Meta:
            app_label = "lk_site"

    assert [error.id for error in Loose._meta.get_field("word").check()] == ["lk.E001", "lk.E002"]
    assert [error.id for error in Numbered._meta.get_field("word").check()] == ["lk.E002"]
    with pytest.raises(FieldError):
        Numbered(word="x").save()


# --- cells


def test_cells_come_as_tuples_and_open_with_the_key_of_their_row():
    row = anna()
    with CaptureQueriesContext(connection) as queries:
        ((key, cell),) = Person.objects.cells("id", "phone")
    assert len(queries) == 1
    assert open_cell(cell, encrypted_field(Person, "phone"), key) == PHONE
    assert type(open_cell(cell, encrypted_field(Person, "phone"), new_id())) is Unreadable
    assert key == row.pk


def test_a_migration_knows_the_field_by_its_public_name():
    field = EncryptedTextField("word", max_length=7, label="old\0name")
    _, path, args, kwargs = field.deconstruct()
    assert path == "lk_site.encryption.EncryptedTextField"
    assert (args, kwargs) == ([], {"verbose_name": "word", "max_length": 7, "label": "old\0name"})
