"""What operations send."""

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from lk_client import models
from lk_client.operations import clients, deals, notes
from lk_client.reading import record

from .test_models import DEAL

MOSCOW = timezone(timedelta(hours=3))


def body_of(call: Any) -> Any:
    return json.loads(call.content())


def a_deal(**changes: Any) -> models.Deal:
    return record(models.Deal, {**DEAL, **changes})


def test_filters_travel_as_the_api_reads_them():
    asked = deals.list_deals(
        status=["open", "won"],
        agent=a_deal().agent,
        price_min=Decimal("1000000"),
        created_from=date(2026, 11, 1),
        updated_after=datetime(2026, 11, 23, 12, 0, tzinfo=MOSCOW),
        trashed=False,
        q=None,
        limit=100,
    ).first.query
    assert asked == (
        ("status", "open"),
        ("status", "won"),
        ("agent", DEAL["agent"]["id"]),
        ("price_min", "1000000"),
        ("created_from", "2026-11-01"),
        ("updated_after", "2026-11-23T09:00:00Z"),
        ("trashed", "false"),
        ("limit", "100"),
    )


@pytest.mark.parametrize("empty", [{"status": []}, {"agent": ()}])
def test_an_empty_filter_does_not_ask_for_everything(empty: Any):
    with pytest.raises(ValueError, match="is empty"):
        deals.list_deals(**empty)


def test_rows_name_fields_and_what_to_expand():
    asked = deals.list_deal_rows(fields=("number", "client"), expand="client", stage="showing").first.query
    assert asked == (("stage", "showing"), ("fields", "number,client"), ("expand", "client"))


def test_a_patch_holds_what_is_given_and_none_empties():
    call = deals.edit_deal(a_deal(version=7), price=Decimal("11900000.00"), notes=None)
    assert body_of(call) == {"price": "11900000.00", "notes": None}
    assert (call.method, call.version) == ("PATCH", 7)


def test_the_object_says_its_version_unless_another_is_named():
    assert deals.trash_deal(a_deal(version=7)).version == 7
    assert deals.trash_deal(a_deal(version=7), version=8).version == 8
    assert deals.trash_deal("1", version=8).version == 8
    assert deals.trash_deal("1").version is None


def test_money_is_never_a_float():
    with pytest.raises(TypeError):
        deals.edit_deal("1", price=0.1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        deals.list_deals(price_min=1.5)  # type: ignore[typeddict-item]
    assert body_of(deals.edit_deal("1", price=Decimal("1E+7"))) == {"price": "10000000"}


def test_a_time_needs_its_zone():
    with pytest.raises(TypeError):
        deals.list_deals(updated_after=datetime(2026, 11, 23))  # noqa: DTZ001


def test_a_next_step_is_what_and_when():
    call = deals.edit_deal("1", next_step=("Позвонить", date(2026, 12, 1)))
    assert body_of(call) == {"next_step": {"text": "Позвонить", "due_on": "2026-12-01"}}


def test_ids_cannot_leave_their_place_in_the_address():
    assert notes.delete_note("../clients", "a/b?c").path == "/deals/..%2Fclients/notes/a%2Fb%3Fc"


def test_a_reveal_is_never_repeated_by_itself():
    assert not clients.reveal_client("1", reason="Звонок").is_repeatable


@pytest.mark.parametrize(
    "call",
    [
        deals.create_deal(agent="a", property_address="x", price=1, client_phone="+7 916 123-45-67"),
        deals.edit_deal("1"),
        deals.move_deal("1", "showing"),
        deals.restore_deal("1"),
        clients.create_client(agent="a", phones=["79161234567"]),
        clients.edit_client("1"),
        notes.add_note("1", "…"),
        notes.edit_note("1", "2", "…"),
    ],
    ids=lambda call: call.path,
)
def test_every_change_takes_an_idempotency_key(call: Any):
    assert call.takes_key
