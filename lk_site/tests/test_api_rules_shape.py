"""`api.md`, "Shape": one test a rule, in its order, asked by a session and, where keys may, by a key."""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from accounts.models import Action, Event
from accounts.tests.clock import clock
from deals.services.looks import reveal_phones
from deals.tests.making import OTHER_PHONE, PHONE, by
from deals.tests.programs import Program, refused
from lk_site.api import api as product
from lk_site.api_docs import document
from lk_site.errors import Invalid
from lk_site.tests.askers import BySession
from lk_site.tests.walking import World

__all__ = ["clock"]

MASK = "+7 916 ***-**-67"
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SCHEMA = json.loads(document(product))


def names_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from names_in(part)


# --- the base, names, values


def test_the_base_is_api_v1(api: BySession):
    assert api.browser.get("/api/v1/deals/").status_code == 200
    refused(api.browser.get("/api/deals/"), 404, "not_found")


def test_answers_are_json_in_utf_8(api: BySession):
    response = api.get(f"/deals/{api.create(notes='Ключи у соседа')['id']}")
    assert response["Content-Type"] == "application/json"
    assert "Ключи у соседа" in response.content.decode("utf-8")


def test_names_are_in_snake_case(api: BySession):
    api.create(next_step={"text": "Показ", "due_on": "2026-12-01"})
    for path in ("/deals/", "/clients/", "/pipelines", "/agents"):
        assert all(re.fullmatch("[a-z0-9_]+", name) for name in names_in(api.get(path).json()))
    schemas = SCHEMA["components"]["schemas"].values()
    assert all(re.fullmatch("[a-z0-9_]+", name) for schema in schemas for name in schema.get("properties", ()))


def test_ids_are_uuids_of_version_7_in_canonical_lower_case(api: BySession):
    deal = api.create()
    assert ID.fullmatch(deal["id"])
    assert ID.fullmatch(deal["client"])
    refused(api.get(f"/deals/{deal['id'].upper()}"), 404, "not_found")


def test_money_is_a_string_with_two_decimals(api: BySession):
    assert api.create(price="12500000")["price"] == "12500000.00"
    refused(api.post("/deals/", api.new_deal(price=12_500_000)), 422, "invalid", "/price")


def test_money_is_above_zero_and_below_a_trillion(api: BySession):
    assert api.create(price="0.01")["price"] == "0.01"
    assert api.create(price="999999999999.99")["price"] == "999999999999.99"
    refused(api.post("/deals/", api.new_deal(price="0.00")), 422, "invalid", "/price")
    refused(api.post("/deals/", api.new_deal(price="1000000000000")), 422, "invalid", "/price")


def test_times_are_rfc_3339_in_utc_with_z(api: BySession):
    deal = api.create()
    for name in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", deal[name])
        assert datetime.fromisoformat(deal[name]).utcoffset() is not None


def test_dates_are_year_month_day(api: BySession):
    step = {"text": "Позвонить", "due_on": "2026-12-01"}
    assert date.fromisoformat(api.create(next_step=step)["next_step"]["due_on"]) == date(2026, 12, 1)
    wrong = api.new_deal(next_step=step | {"due_on": "01.12.2026"})
    refused(api.post("/deals/", wrong), 422, "invalid", "/next_step/due_on")


def test_absent_is_not_null(api: BySession):
    path = f"/deals/{api.create(notes='Ключи у соседа')['id']}"
    assert api.patch(path, {"price": "1"}, version=1).json()["notes"] == "Ключи у соседа"
    assert api.patch(path, {"notes": None}, version=2).json()["notes"] is None
    refused(api.patch(path, {"price": None}, version=3), 422, "invalid", "/price")


def test_enumerations_may_grow():
    """No answer is promised to hold one of a closed list: a client made of the document must not break at a new one."""
    closed = {name for name in answered_schemas() if closed_lists(SCHEMA["components"]["schemas"][name])}
    assert closed == set()


def answered_schemas() -> set[str]:
    """Return the names of the schemas that answers are made of."""
    answers = [
        response["content"]["application/json"]["schema"]
        for methods in SCHEMA["paths"].values()
        for details in methods.values()
        for response in details["responses"].values()
        if "application/json" in response.get("content", {})
    ]
    waiting, found = [name for answer in answers for name in references(answer)], set[str]()
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += references(SCHEMA["components"]["schemas"][name])
    return found


def references(schema: Any) -> list[str]:
    return re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema))


def closed_lists(schema: dict[str, Any]) -> bool:
    return "enum" in schema or any("enum" in names_in(part) for part in schema.get("properties", {}).values())


# --- phones


def test_phones_travel_as_digits_with_country_code(api: BySession):
    assert api.create(client_phone="+7 916 123-45-67")["client_phone"] == "79161234567"
    assert api.create_client("+44 20 7946 0958")["phones"] == ["442079460958"]


def test_an_agents_phone_is_a_russian_mobile(by_session: BySession):
    for phone in ("+44 20 7946 0958", "84951234567", "7916123456", "77011234567"):
        refused(by_session.post("/auth/send-code", {"phone": phone}), 422, "invalid", "/phone")
    assert by_session.post("/auth/send-code", {"phone": "79161234567"}).status_code == 202


def test_a_clients_phone_is_any_valid_number_of_8_to_15_digits(api: BySession):
    assert api.create(client_phone="+44 20 7946 0958")["client_phone"] == "442079460958"
    assert api.create(client_phone="+372 512 3456")["client_phone"] == "3725123456"
    for wrong in ("+7 916 12", "+7 916 123 45 67 89 01 23", "+7 016 123-45-67"):
        refused(api.post("/deals/", api.new_deal(client_phone=wrong)), 422, "invalid", "/client_phone")


def test_phones_are_taken_as_people_type_them(api: BySession):
    for typed in ("+7 916 123-45-67", "8 (916) 123-45-67", "+７９１６１２３４５６７", "9161234567"):
        assert api.create(client_phone=typed)["client_phone"] == PHONE


def test_a_number_is_russian_unless_it_starts_with_a_plus(api: BySession):
    assert api.create(client_phone="4951234567")["client_phone"] == "74951234567"
    assert api.create(client_phone="+49 30 901820")["client_phone"] == "4930901820"


# --- who sees a number


def test_client_phone_is_digits_or_null_and_the_mask_is_always_there(
    by_session: BySession, by_key: BySession, world: World
):
    path = f"/deals/{world.deal.pk}"
    for asker, digits in ((by_session, PHONE), (by_key, None)):
        deal = asker.get(path).json()
        assert (deal["client_phone"], deal["client_phone_masked"]) == (digits, MASK)


def test_lists_have_only_the_mask(api: BySession):
    api.create(client_phone=OTHER_PHONE)
    for path in ("/deals/", "/clients/"):
        answer = api.get(path)
        assert OTHER_PHONE not in answer.content.decode()
        assert "+7 926 ***-**-21" in answer.content.decode()


def test_a_mask_sent_as_a_phone_is_422(api: BySession):
    problem = refused(api.post("/deals/", api.new_deal(client_phone=MASK)), 422, "invalid", "/client_phone")
    assert problem["errors"][0]["code"] == "phone_masked"


def test_the_detail_that_one_works_oneself_is_a_look_once_an_hour(by_session: BySession, world: World, clock: Any):
    for minutes, looks in ((0, 1), (0, 1), (61, 2)):
        clock.forward(minutes=minutes)
        assert by_session.get(f"/deals/{world.deal.pk}").json()["client_phone"] == PHONE
        assert by_session.get(f"/clients/{world.client.pk}").json()["phones"] == [PHONE]
        assert Event.objects.filter(action=Action.CLIENT_LOOKED_AT).count() == looks


def test_above_sixty_looks_an_hour_the_detail_comes_masked(by_session: BySession, world: World):
    for _ in range(60):
        assert by_session.post(f"/clients/{world.alone.pk}/reveal", {}).status_code == 200
    deal = by_session.get(f"/deals/{world.deal.pk}")
    assert (deal.status_code, deal.json()["client_phone"], deal.json()["client_phone_masked"]) == (200, None, MASK)


def test_heads_and_keys_get_masks_and_reveal(by_key: BySession, world: World):
    for asker in (Program(world.vera), by_key):
        assert asker.get(f"/deals/{world.deal.pk}").json()["client_phone"] is None
        assert asker.get(f"/clients/{world.client.pk}").json()["phones"] is None
        revealed = asker.post(f"/clients/{world.client.pk}/reveal", {"reason": "Жалоба клиента"})
        assert (revealed.status_code, revealed.json()) == (200, {"phones": [PHONE]})


def test_only_staff_need_a_reason_to_reveal(api: BySession, world: World):
    assert api.post(f"/clients/{world.client.pk}/reveal", {}).status_code == 200
    with pytest.raises(Invalid):
        reveal_phones(world.client.pk, actor=by(world.staff))
    assert reveal_phones(world.client.pk, actor=by(world.staff), reason="Жалоба клиента") == [PHONE]


def test_searching_by_a_full_number_is_counted_as_a_search(api: BySession):
    response = api.get("/deals/", {"client_phone": PHONE})
    assert response.status_code == 200
    assert '"search"' in response["RateLimit-Policy"]
    assert Event.objects.filter(action=Action.CLIENT_SEARCHED).count() == 1


def test_creating_answers_as_the_detail_does(by_session: BySession, by_key: BySession):
    made = by_session.create()
    assert made == by_session.get(f"/deals/{made['id']}").json()
    made = by_key.create()
    assert made | {"client_phone": None} == by_key.get(f"/deals/{made['id']}").json()


# --- bodies, queries, addresses


def test_an_unknown_body_field_is_422(api: BySession):
    problem = refused(api.post("/deals/", api.new_deal(colour="red")), 422, "invalid", "/colour")
    assert problem["errors"][0]["code"] == "unknown_field"


def test_an_unknown_query_parameter_is_422_and_pages_ignore_it(api: BySession, world: World):
    refused(api.get("/deals/", {"utm_source": "mail"}), 422, "invalid", "?utm_source")
    assert world.browser("anna").get("/deals/", {"utm_source": "mail"}).status_code == 200


def test_nothing_is_ignored_or_cut_silently(api: BySession):
    refused(api.post("/deals/", api.new_deal(property_address="а" * 301)), 422, "invalid", "/property_address")
    refused(api.post("/deals/", b'{"price": "1", "price": "2"}'), 422, "invalid", "/price")
    refused(api.get("/deals/?limit=1&limit=2"), 422, "invalid", "?limit")
    refused(api.get("/deals/", {"limit": "101"}), 422, "invalid", "?limit")
    refused(api.send("DELETE", f"/deals/{api.create()['id']}", {"why": "x"}, version=1), 422, "invalid", "/why")


def test_a_patch_is_a_merge_patch_of_the_fields_sent(api: BySession):
    deal = api.create(notes="Ключи у соседа", property_type="flat")
    changed = api.patch(f"/deals/{deal['id']}", {"price": "1", "property_type": None}, version=1).json()
    assert (changed["price"], changed["property_type"], changed["notes"]) == ("1.00", None, "Ключи у соседа")


def test_delete_moves_to_the_trash_and_restore_brings_back(api: BySession):
    for path in (f"/deals/{api.create()['id']}", f"/clients/{api.create_client(OTHER_PHONE)['id']}"):
        assert api.delete(path, version=1).status_code == 204
        refused(api.get(path), 404, "not_found")
        assert api.post(f"{path}/restore", version=2).json()["deleted_at"] is None
        assert api.get(path).status_code == 200


def test_an_action_is_a_sub_resource(api: BySession):
    path = f"/deals/{api.create()['id']}"
    refused(api.patch(path, {"stage": "showing"}, version=1), 422, "invalid", "/stage")
    assert api.post(f"{path}/stage-moves", {"to": "showing"}, version=1).json()["stage"]["code"] == "showing"


def test_slashes_exactly_as_written(api: BySession):
    for path in ("/deals/", "/clients/", "/pipelines", "/agents", "/changes", "/webhooks", "/key"):
        refused(api.get(path[:-1] if path.endswith("/") else f"{path}/"), 404, "not_found")
