"""Answers that are written without their response schema are what it says: validated by it they come out the same."""

from typing import Any

import pytest
from ninja import Schema

from deals.api.schemas import ClientOut, ClientPage, DealOut, DealPage, NoteOut, TimelinePage
from deals.tests.programs import Program

STEP = {"text": "Позвонить", "due_on": "2026-12-01"}
FULL = {
    "client_name": "Мария",
    "commission_percent": "2.5",
    "property_type": "flat",
    "next_step": STEP,
    "notes": "Ключи",
}


@pytest.fixture
def api(anna) -> Program:
    return Program(anna)


def is_as(schema: type[Schema], response: Any) -> None:
    body = response.json()
    assert schema.model_validate(body).model_dump(mode="json") == body


@pytest.mark.parametrize("more", [{}, FULL])
def test_a_deal_is_as_its_schema_says(api, more):
    deal = api.create(**more)
    assert DealOut.model_validate(deal).model_dump(mode="json") == deal
    is_as(DealOut, api.get(f"/deals/{deal['id']}"))
    is_as(DealOut, api.patch(f"/deals/{deal['id']}", {"price": "1.5"}, version=1))
    is_as(DealPage, api.get("/deals/"))


def test_a_deal_reads_the_same_as_it_was_answered_when_written(api):
    deal = api.create(**FULL)
    assert api.get(f"/deals/{deal['id']}").json() == deal


def test_a_lost_deal_is_as_its_schema_says(api):
    path = f"/deals/{api.create()['id']}"
    lost = {"to": "lost", "lost_reason": "other", "comment": "Купил сам"}
    moved = api.post(f"{path}/stage-moves", lost, version=1)
    is_as(DealOut, moved)
    assert moved.json()["lost_reason"]["comment"] == "Купил сам"
    assert api.get(path).json() == moved.json()
    is_as(DealPage, api.get("/deals/"))


@pytest.mark.parametrize("more", [{}, {"name": "Мария", "email": "maria@example.ru", "notes": "Ключи"}])
def test_a_client_is_as_his_schema_says(api, more):
    created = api.post("/clients/", {"phones": ["79161234567"], **more})
    is_as(ClientOut, created)
    is_as(ClientOut, api.get(f"/clients/{created.json()['id']}"))
    is_as(ClientPage, api.get("/clients/"))


def test_notes_and_the_timeline_are_as_their_schemas_say(api):
    path = f"/deals/{api.create()['id']}"
    note = api.post(f"{path}/notes", {"text": "Смотрели"})
    is_as(NoteOut, note)
    is_as(NoteOut, api.patch(f"{path}/notes/{note.json()['id']}", {"text": "Смотрели дважды"}))
    is_as(TimelinePage, api.get(f"{path}/timeline"))
