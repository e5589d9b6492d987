"""`/deals/` for programs: one deal, from its creation to the trash and back."""

from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from accounts.models import Event
from deals.models import Client, Deal, Look
from deals.tests.making import OTHER_PHONE, PHONE, make_client, make_deal
from deals.tests.programs import CREATED, Program, refused

DETAIL = {
    *("id", "number", "client", "client_phone", "client_phone_masked", "client_name", "property_address", "price"),
    *("kind", "property_type", "commission_percent", "stage", "status", "lost_reason", "agent", "next_step", "notes"),
    *("version", "created_at", "updated_at", "deleted_at"),
}
MASK = "+7 916 ***-**-67"
STEP = {"text": "Позвонить", "due_on": "2026-12-01"}


@pytest.fixture
def api(anna):
    return Program(anna)


@pytest.fixture
def head(vera):
    return Program(vera)


# --- creating


def test_a_deal_is_created_and_found_where_location_says(api, anna):
    response = api.post("/deals/", CREATED)
    deal = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/deals/{deal['id']}"
    assert set(deal) == DETAIL
    assert (deal["client_phone"], deal["client_phone_masked"], deal["client_name"]) == (PHONE, MASK, None)
    assert (deal["price"], deal["kind"], deal["status"], deal["version"]) == ("12500000.00", "sale", "open", 1)
    assert deal["stage"] == {"code": "new", "name": "New", "kind": "open"}
    assert deal["agent"] == {"id": str(anna.pk), "name": "Анна Агеева"}
    assert api.get(f"/deals/{deal['id']}").json() == deal


def test_every_field_that_may_be_sent_comes_back(api):
    optional = {
        "client_name": "Мария Петрова",
        "kind": "rent",
        "property_type": "flat",
        "commission_percent": "2.5",
        "next_step": STEP,
        "notes": "Ключи у соседа\nЗвонить вечером",
    }
    deal = api.create(**optional)
    assert {name: deal[name] for name in optional} == optional | {"commission_percent": "2.50"}


def test_null_is_the_same_as_leaving_an_optional_field_out(api):
    deal = api.create(
        client_name=None, property_type=None, commission_percent=None, next_step=None, notes=None, client=None
    )
    assert (deal["client_name"], deal["property_type"], deal["notes"]) == (None, None, None)


def test_times_are_utc_with_z_and_ids_are_version_7(api):
    deal = api.create()
    assert deal["created_at"].endswith("Z")
    assert parse_datetime(deal["created_at"]) is not None
    assert deal["id"][14] == "7"
    assert deal["deleted_at"] is None


@pytest.mark.parametrize(
    "typed", ["+7 916 123-45-67", "8 (916) 123 45 67", "89161234567", "9161234567", "+７９１６１２３４５６７"]
)
def test_a_phone_is_taken_as_people_type_it(api, typed):
    assert api.create(client_phone=typed)["client_phone"] == PHONE


def test_a_client_may_have_a_foreign_number(api):
    deal = api.create(client_phone="+44 20 7946 0958")
    assert deal["client_phone"] == "442079460958"
    assert "*" in deal["client_phone_masked"]


@pytest.mark.parametrize("server_s", ["id", "agent", "agency", "stage", "status", "number", "version", "created_at"])
def test_what_is_the_servers_cannot_be_sent(api, server_s):
    refused(api.post("/deals/", CREATED | {server_s: "1"}), 422, "invalid", f"/{server_s}")


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"client_phone": MASK}, "/client_phone", "phone_masked"),
        ({"client_phone": "+7 916 123"}, "/client_phone", "phone_invalid"),
        ({"client_phone": 79161234567}, "/client_phone", "not_text"),
        ({"price": "0"}, "/price", "out_of_range"),
        ({"price": "0.00"}, "/price", "out_of_range"),
        ({"price": "-1"}, "/price", "not_a_number"),
        ({"price": "1000000000000"}, "/price", "not_a_number"),
        ({"price": "1.234"}, "/price", "not_a_number"),
        ({"price": "1e5"}, "/price", "not_a_number"),
        ({"price": "١٢"}, "/price", "not_a_number"),
        ({"price": 12500000}, "/price", "not_a_number"),
        ({"price": None}, "/price", "not_a_number"),
        ({"commission_percent": "100.01"}, "/commission_percent", "out_of_range"),
        ({"commission_percent": "2,5"}, "/commission_percent", "not_a_number"),
        ({"kind": "swap"}, "/kind", "unknown"),
        ({"kind": None}, "/kind", "unknown"),
        ({"property_type": "castle"}, "/property_type", "unknown"),
        ({"property_address": ""}, "/property_address", "too_short"),
        ({"property_address": "  "}, "/property_address", "too_short"),
        ({"property_address": "а" * 301}, "/property_address", "too_long"),
        ({"property_address": "Тверская\nулица"}, "/property_address", "line_break"),
        ({"property_address": "Тверская\u202e"}, "/property_address", "bidi_override"),
        ({"notes": "\u0000"}, "/notes", "bad_character"),
        ({"notes": "я" * 5001}, "/notes", "too_long"),
        ({"next_step": {"text": "Показ"}}, "/next_step/due_on", "required"),
        ({"next_step": {**STEP, "due_on": "01.12.2026"}}, "/next_step/due_on", "not_a_date"),
        ({"next_step": {**STEP, "due_on": "2026-02-30"}}, "/next_step/due_on", "not_a_date"),
        ({"next_step": {**STEP, "due_on": "9999-12-31"}}, "/next_step/due_on", "not_a_date"),
        ({"next_step": {**STEP, "at": "12:00"}}, "/next_step/at", "unknown_field"),
        ({"client": "not-an-id"}, "/client", "not_an_id"),
        ({"colour": "red"}, "/colour", "unknown_field"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field_and_nothing_is_stored(api, changes, pointer, code):
    problem = refused(api.post("/deals/", CREATED | changes), 422, "invalid", pointer)
    assert problem["errors"][0]["code"] == code
    assert problem["errors"][0]["message"]
    assert not Deal.objects.exists()
    assert not Client.objects.exists()


def test_the_largest_price_is_taken(api):
    assert api.create(price="999999999999.99")["price"] == "999999999999.99"
    assert api.create(price="0.01")["price"] == "0.01"


# --- whom it is for


def test_a_known_phone_takes_the_agents_client(api, anna):
    client = make_client(anna, PHONE, name="Мария Петрова")
    assert api.create(client_name="мария петрова")["client"] == str(client.pk)


def test_another_name_for_a_known_phone_is_409_with_the_id_alone(api, anna):
    client = make_client(anna, PHONE, name="Мария Петрова")
    response = api.post("/deals/", CREATED | {"client_name": "Пётр"})
    assert refused(response, 409, "client_exists")["client"] == str(client.pk)
    assert "Мария" not in response.content.decode()


def test_the_client_may_be_named_by_id_instead(api, anna):
    client = make_client(anna, OTHER_PHONE, name="Мария")
    terms = {name: CREATED[name] for name in ("property_address", "price")}
    response = api.post("/deals/", {**terms, "client": str(client.pk)})
    assert (response.status_code, response.json()["client_phone"]) == (201, OTHER_PHONE)


def test_somebody_elses_client_is_unknown_here(api, boris):
    client = make_client(boris)
    terms = {name: CREATED[name] for name in ("property_address", "price")}
    refused(api.post("/deals/", {**terms, "client": str(client.pk)}), 422, "invalid", "/client")


def test_a_client_is_named_once(api, anna):
    client = make_client(anna, PHONE)
    refused(api.post("/deals/", CREATED | {"client": str(client.pk)}), 422, "invalid", "/client")
    terms = {name: CREATED[name] for name in ("property_address", "price")}
    refused(api.post("/deals/", terms), 422, "invalid", "/client_phone")


# --- who sees the number


def looks() -> int:
    return Event.objects.filter(action="client.looked_at").count()


def test_the_number_just_typed_is_shown_without_a_look(api):
    api.create()
    assert (looks(), Look.objects.count()) == (0, 0)


def test_a_number_that_was_not_typed_is_shown_by_a_look(api, anna):
    make_client(anna, OTHER_PHONE, PHONE)
    assert api.create()["client_phone"] == OTHER_PHONE
    assert looks() == 1


def test_the_detail_is_a_look_once_an_hour(api, anna):
    deal = make_deal(anna)
    for _ in range(3):
        assert api.get(f"/deals/{deal.pk}").json()["client_phone"] == PHONE
    api.get(f"/clients/{deal.client_id}")
    assert looks() == 1


def test_above_the_looks_of_an_hour_the_detail_comes_masked(api, anna, settings):
    settings.LIMITS = settings.LIMITS | {"looks": (1, 3600)}
    first, second = make_deal(anna), make_deal(anna, OTHER_PHONE)
    assert api.get(f"/deals/{first.pk}").json()["client_phone"] == PHONE
    masked = api.get(f"/deals/{second.pk}").json()
    assert (masked["client_phone"], masked["client_phone_masked"]) == (None, "+7 926 ***-**-21")
    assert api.get(f"/deals/{first.pk}").json()["client_phone"] == PHONE
    assert looks() == 1


def test_the_head_sees_a_mask_and_leaves_no_look(head, anna):
    deal = make_deal(anna)
    shown = head.get(f"/deals/{deal.pk}").json()
    assert (shown["client_phone"], shown["client_phone_masked"]) == (None, MASK)
    assert looks() == 0


def test_who_may_not_see_a_deal_gets_the_bytes_of_one_that_is_not_there(anna, boris, gleb):
    deal = make_deal(anna)
    for stranger in (Program(boris), Program(gleb)):
        foreign = stranger.get(f"/deals/{deal.pk}")
        absent = stranger.get("/deals/0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8")
        refused(foreign, 404, "not_found")
        assert without_ids(foreign) == without_ids(absent)


def without_ids(response: Any) -> dict[str, Any]:
    return {name: value for name, value in response.json().items() if name not in ("instance", "request_id")}


# --- editing


def test_a_patch_changes_the_fields_that_are_sent(api):
    deal = api.create(notes="Старое", property_type="flat", next_step=STEP)
    path = f"/deals/{deal['id']}"
    changed = api.patch(path, {"price": "9000000", "notes": None}, version=1).json()
    assert (changed["price"], changed["notes"], changed["version"]) == ("9000000.00", None, 2)
    assert (changed["property_type"], changed["next_step"]) == ("flat", STEP)
    emptied = api.patch(path, {"next_step": None, "property_type": None, "commission_percent": None}, version=2).json()
    assert (emptied["next_step"], emptied["property_type"]) == (None, None)


def test_a_next_step_is_merged_too(api):
    path = f"/deals/{api.create(next_step=STEP)['id']}"
    later = api.patch(path, {"next_step": {"due_on": "2026-12-09"}}, version=1).json()
    assert later["next_step"] == STEP | {"due_on": "2026-12-09"}
    assert api.patch(path, {"next_step": {}}, version=2).json()["version"] == 2
    assert api.patch(path, {"next_step": None}, version=2).json()["next_step"] is None
    refused(api.patch(path, {"next_step": {"text": "Показ"}}, version=3), 422, "invalid", "/next_step/due_on")
    refused(api.patch(path, {"next_step": {"text": None}}, version=3), 422, "invalid", "/next_step/text")


def test_a_patch_of_nothing_changes_nothing(api):
    deal = api.create()
    assert api.patch(f"/deals/{deal['id']}", {}, version=1).json()["version"] == 1


@pytest.mark.parametrize("fixed", ["kind", "client", "client_phone", "client_name", "agent", "stage", "number"])
def test_a_patch_cannot_change_what_is_fixed_or_the_servers(api, fixed):
    deal = api.create()
    refused(api.patch(f"/deals/{deal['id']}", {fixed: "sale"}, version=1), 422, "invalid", f"/{fixed}")


@pytest.mark.parametrize("field", ["price", "property_address"])
def test_what_a_deal_must_have_cannot_be_emptied(api, field):
    deal = api.create()
    refused(api.patch(f"/deals/{deal['id']}", {field: None}, version=1), 422, "invalid", f"/{field}")


def test_a_patch_out_of_range_is_refused_at_its_field(api):
    deal = api.create()
    both = {"price": "0", "commission_percent": "101"}
    refused(api.patch(f"/deals/{deal['id']}", both, version=1), 422, "invalid", "/price", "/commission_percent")


def test_the_head_edits_and_sees_a_mask(api, head):
    deal = api.create()
    response = head.patch(f"/deals/{deal['id']}", {"price": "1"}, version=1)
    assert (response.status_code, response.json()["client_phone"]) == (200, None)


# --- the trash


def test_a_trashed_deal_is_gone_but_in_the_trash_and_comes_back(api):
    deal = api.create()
    path = f"/deals/{deal['id']}"
    response = api.delete(path, version=1)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["ETag"].startswith('"2.')
    refused(api.get(path), 404, "not_found")
    refused(api.patch(path, {"price": "1"}, version=2), 404, "not_found")
    refused(api.delete(path, version=2), 404, "not_found")
    refused(api.get(f"{path}/timeline"), 404, "not_found")
    assert api.get("/deals/").json()["items"] == []
    (trashed,) = api.get("/deals/", {"trashed": "true"}).json()["items"]
    assert (trashed["version"], trashed["deleted_at"][-1]) == (2, "Z")
    restored = api.post(f"{path}/restore", version=trashed["version"])
    assert (restored.status_code, restored.json()["version"], restored.json()["deleted_at"]) == (200, 3, None)


def test_only_what_is_in_the_trash_is_restored(api):
    deal = api.create()
    refused(api.post(f"/deals/{deal['id']}/restore", version=1), 404, "not_found")


def test_a_restore_that_clashes_is_409_with_the_id_of_who_is_in_the_way(api, anna):
    deal = api.create(client_name="Мария")
    api.delete(f"/deals/{deal['id']}", version=1)
    api.delete(f"/clients/{deal['client']}", version=1)
    other = make_client(anna, PHONE, name="Пётр")
    response = api.post(f"/deals/{deal['id']}/restore", version=2)
    assert refused(response, 409, "client_exists")["client"] == str(other.pk)
