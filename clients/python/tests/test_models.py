"""Answers as frozen dataclasses that an LK which has grown does not break."""

import dataclasses
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from lk_client import UnexpectedAnswer, models
from lk_client.exchange import exchange
from lk_client.operations.deals import get_deal, list_deals
from lk_client.reading import record

from .wire import WITHOUT_CHANCE, Driven, answer

DEAL: dict[str, Any] = {
    "id": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8",
    "number": 12,
    "client": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b9",
    "client_phone_masked": "+7 916 ***-**-67",
    "client_name": "Мария Петрова",
    "property_address": "Москва, Большая Полянка, 30, кв. 12",
    "price": "12500000.10",
    "kind": "sale",
    "property_type": None,
    "commission_percent": "2.50",
    "stage": {"code": "showing", "name": "Показы", "kind": "open"},
    "status": "open",
    "lost_reason": None,
    "agent": {"id": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b0", "name": "Анна Соколова"},
    "next_step": {"text": "Позвонить", "due_on": "2026-12-01"},
    "version": 1,
    "created_at": "2026-11-23T09:05:00.123456Z",
    "updated_at": "2026-11-23T09:05:00Z",
    "deleted_at": None,
    "client_phone": None,
    "notes": None,
}


def read(document: Any) -> models.Deal:
    return Driven(answer(200, document)).through(exchange(get_deal("1"), WITHOUT_CHANCE))


def test_values_have_the_types_they_mean():
    deal = read(DEAL)
    assert deal.price == Decimal("12500000.10")
    assert deal.created_at == datetime(2026, 11, 23, 9, 5, 0, 123456, tzinfo=timezone.utc)
    assert deal.next_step is not None
    assert deal.next_step.due_on == date(2026, 12, 1)
    assert deal.stage.name == "Показы"


def test_members_and_codes_of_tomorrow_break_nothing():
    grown = {**DEAL, "kind": "exchange", "district": {"code": "zao"}, "stage": {**DEAL["stage"], "colour": "red"}}
    deal = read(grown)
    assert deal.kind == "exchange"
    assert deal.raw["district"] == {"code": "zao"}
    assert deal.stage.raw["colour"] == "red"


def test_a_member_that_may_be_null_may_be_missing():
    deal = read({name: value for name, value in DEAL.items() if name != "notes"})
    assert deal.notes is None


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        {"id": "1"},
        {**DEAL, "price": "a lot"},
        {**DEAL, "price": None},
        {**DEAL, "created_at": "yesterday"},
        {**DEAL, "stage": "showing"},
    ],
)
def test_an_answer_of_another_shape_is_unexpected(document: Any):
    with pytest.raises(UnexpectedAnswer):
        read(document)


def test_models_cannot_be_changed_and_compare_by_what_they_say():
    deal = read(DEAL)
    assert deal == read({**DEAL, "new": 1})
    with pytest.raises(dataclasses.FrozenInstanceError):
        deal.price = Decimal(1)  # type: ignore[misc]


def test_a_repr_does_not_repeat_the_document():
    assert "raw" not in repr(read(DEAL))


def test_a_list_is_read_without_what_lists_leave_out():
    item = {name: value for name, value in DEAL.items() if name not in ("client_phone", "notes")}
    page = Driven(answer(200, {"items": [item], "next_cursor": "c2"})).through(
        exchange(list_deals().first, WITHOUT_CHANCE)
    )
    assert page.items[0].number == 12
    following = list_deals(status="open").after(page)
    assert following is not None
    assert following.query == (("status", "open"), ("cursor", "c2"))


def test_the_last_page_has_none_after_it():
    page = Driven(answer(200, {"items": [], "next_cursor": None})).through(exchange(list_deals().first, WITHOUT_CHANCE))
    assert list_deals().after(page) is None


def test_a_member_that_older_answers_lack_has_its_default():
    note = {"id": "1", "text": "…", "author": None, "created_at": "2026-11-23T09:05:00Z", "edited_at": None}
    assert record(models.Note, note).key is None
