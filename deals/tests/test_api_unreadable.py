"""Rows whose sealed values do not open: programs get «unavailable», never a 5xx, and cannot overwrite them."""

import pytest
from django.db import connection

from deals.models import Client, ClientPhone, Deal
from deals.services.notes import add_note
from deals.tests.making import by, make_deal
from deals.tests.programs import Program, refused

SEALED = {Deal: ("next_step_text", "notes"), Client: ("name", "email", "notes"), ClientPhone: ("phone",)}
NOT_OURS = b"\x01\x01 not a token of ours"
STEP = {"text": "Показ", "due_on": "2026-12-01"}


@pytest.fixture
def broken(anna) -> Deal:
    """A deal of which no sealed value opens any more."""
    deal = make_deal(anna, client_name="Мария", notes="x")
    Program(anna).patch(f"/deals/{deal.pk}", {"next_step": STEP}, version=1)
    Program(anna).patch(f"/clients/{deal.client_id}", {"email": "a@example.ru", "notes": "y"}, version=1)
    add_note(deal.pk, "Заметка", actor=by(anna))
    with connection.cursor() as cursor:
        for model, columns in SEALED.items():
            for column in columns:
                cursor.execute(f"UPDATE {model._meta.db_table} SET {column} = %s", [NOT_OURS])
    return deal


def test_reading_says_that_they_are_unavailable(broken, anna, vera):
    for program in (Program(anna), Program(vera)):
        for path in (f"/deals/{broken.pk}", f"/clients/{broken.client_id}"):
            answer = program.get(path)
            assert answer.status_code == 200
            assert answer.json()["notes"] == "unavailable"
        for path in ("/deals/", "/clients/", f"/deals/{broken.pk}/timeline"):
            assert len(program.get(path).json()["items"]) > 0
        for q in ("мария", "4567", "тверская"):
            assert program.get("/deals/", {"q": q}).status_code == 200
            assert program.get("/clients/", {"q": q}).status_code == 200
    assert Program(vera).post(f"/clients/{broken.client_id}/reveal", {}).status_code == 200


def test_nothing_overwrites_them(broken, anna):
    program = Program(anna)
    refused(program.patch(f"/deals/{broken.pk}", {"notes": "z"}, version=2), 409, "value_unreadable")
    refused(program.patch(f"/clients/{broken.client_id}", {"name": "z"}, version=2), 409, "value_unreadable")
    for changes in ({"next_step": {"due_on": "2027-01-01"}}, {"price": "1"}):
        version = Deal.objects.get().version
        assert program.patch(f"/deals/{broken.pk}", changes, version=version).status_code == 200
    (cells,) = Deal.objects.cells("next_step_text", "notes")
    assert {bytes(cell.token) for cell in cells} == {NOT_OURS}
