"""Copies, pickles, forms and fixtures of a row hold no clear text and lose no value."""

import copy
import json
import pickle

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import modelform_factory

from lk_site.encryption import Unreadable
from lk_site.tests.sealed import PHONE, Person, anna, installed, new_id, spoil, token_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sealed_tables")]
PersonForm = modelform_factory(Person, fields=["title", "phone", "email"])


@pytest.fixture(autouse=True)
def _installed():
    with installed():
        yield


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda row: pickle.loads(pickle.dumps(row))])
@pytest.mark.parametrize("is_stored", [True, False])
def test_a_copy_has_the_text_and_changes_alone(copied, is_stored):
    row = Person.objects.get(pk=anna().pk) if is_stored else Person(phone=PHONE)
    twin = copied(row)
    assert twin.phone == PHONE
    twin.phone = "+71"
    assert row.phone == PHONE
    twin.save()
    assert Person.objects.get(pk=row.pk).phone == "+71"


def test_a_pickle_holds_no_clear_text():
    row = Person.objects.get(pk=anna().pk)
    assert row.phone == PHONE
    assert PHONE.encode() not in pickle.dumps(row)
    row.phone = "+70000000001"
    frozen = pickle.dumps(row)
    assert b"0000001" not in frozen
    assert pickle.loads(frozen).phone == "+70000000001"
    assert PHONE.encode() not in pickle.dumps(list(Person.objects.all()))


def test_a_deep_copy_under_a_new_key_keeps_its_text():
    row = copy.deepcopy(Person.objects.get(pk=anna().pk))
    row.pk = new_id()
    row.save(force_insert=True)
    assert Person.objects.get(pk=row.pk).phone == PHONE


def test_a_cell_shows_nothing_and_refuses_to_be_used_as_text():
    anna()
    (row,) = Person.objects.values()
    cell = row["phone"]
    assert f"{cell} {cell!r}" == "<sealed> <sealed>"
    assert PHONE not in repr(Person(phone=PHONE).__dict__)
    for use in (bool, list, hash, json.dumps, lambda c: json.dumps(c, cls=DjangoJSONEncoder), lambda c: c == PHONE):
        with pytest.raises(TypeError):
            use(cell)


def test_a_cell_that_was_never_sealed_is_not_pickled():
    with pytest.raises(TypeError):
        pickle.dumps(Person(phone=PHONE).__dict__["phone"])


# --- forms


def test_a_form_shows_the_text_and_an_untouched_one_changes_no_byte():
    row = anna()
    token = token_of(row)
    form = PersonForm({"title": "b", "phone": PHONE, "email": ""}, instance=Person.objects.get(pk=row.pk))
    assert form.initial["phone"] == PHONE
    assert form.is_valid()
    assert form.changed_data == ["title"]
    form.save()
    assert token_of(row) == token
    assert Person.objects.get(pk=row.pk).email is None


def test_a_form_saves_a_new_text_and_refuses_a_long_one():
    row = anna()
    PersonForm({"title": "a", "phone": "+70", "email": "a@example.org"}, instance=row).save()
    assert Person.objects.get(pk=row.pk).phone == "+70"
    assert "phone" in PersonForm({"title": "a", "phone": "1" * 21}).errors


def test_text_that_looks_like_a_fixture_is_text():
    row = PersonForm({"title": "a", "phone": "{'sealed':'AAAA'}"}).save()
    assert Person.objects.get(pk=row.pk).phone == "{'sealed':'AAAA'}"


def test_a_form_keeps_an_unreadable_value_and_refuses_another_in_its_place():
    row = anna()
    spoilt = spoil(row)
    shown = str(Person.objects.get(pk=row.pk).phone)
    PersonForm({"title": "b", "phone": shown}, instance=Person.objects.get(pk=row.pk)).save()
    assert token_of(row) == spoilt
    form = PersonForm({"title": "c", "phone": "+79"}, instance=Person.objects.get(pk=row.pk))
    assert form.errors["phone"].as_data()[0].code == "value_unreadable"
    again = Person.objects.get(pk=row.pk)
    again.phone = "+79"
    with pytest.raises(ValidationError):
        again.full_clean()
    assert token_of(row) == spoilt


# --- fixtures


def test_a_dump_holds_no_clear_text_and_loads_back(tmp_path):
    row = anna(email="a@example.org")
    path = tmp_path / "dump.json"
    call_command("dumpdata", "sealed.person", output=str(path))
    assert PHONE not in path.read_text()
    Person.objects.all().delete()
    for _ in range(2):
        call_command("loaddata", str(path), verbosity=0)
        assert Person.objects.get(pk=row.pk).phone == PHONE


def test_an_unreadable_value_survives_dump_and_load(tmp_path):
    row = anna(email="a@example.org")
    spoilt = spoil(row)
    path = tmp_path / "dump.json"
    call_command("dumpdata", "sealed.person", output=str(path))
    Person.objects.all().delete()
    call_command("loaddata", str(path), verbosity=0)
    assert token_of(row) == spoilt
    assert type(Person.objects.get(pk=row.pk).phone) is Unreadable


def test_clear_text_in_a_fixture_is_sealed_when_it_is_loaded(tmp_path):
    row = anna(email="a@example.org")
    path = tmp_path / "dump.json"
    call_command("dumpdata", "sealed.person", output=str(path))
    (entry,) = json.loads(path.read_text())
    entry["fields"]["phone"] = "+70000000001"
    path.write_text(json.dumps([entry]))
    call_command("loaddata", str(path), verbosity=0)
    assert Person.objects.get(pk=row.pk).phone == "+70000000001"
    assert b"0000001" not in token_of(row)
