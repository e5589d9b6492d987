"""`fields=` and `expand=`: a program is shown what it asks for, and no more than it may see."""

import json
from typing import Any

import jsonschema_rs
import pytest

from accounts.models import Action, Scope
from accounts.tests.programs import make_key, program
from deals.services.deals import trash_deal
from deals.services.looks import look_at
from deals.tests.making import OTHER_PHONE, PHONE, actions, by, make_client, make_deal
from deals.tests.programs import Program, refused
from deals.tests.test_api_statements import at_most
from lk_site.api import api as product
from lk_site.api_docs import document

CONTRACT = json.loads(document(product))
COLLEAGUE = {"id", "name", "role", "active"}


@pytest.fixture
def api(anna) -> Program:
    return Program(anna)


@pytest.fixture
def deal(anna):
    return make_deal(anna, PHONE, client_name="Мария Петрова", notes="Ключи у соседа")


def fits(path: str, body: Any) -> None:
    """Check an answer against what the OpenAPI document says of it."""
    answer = CONTRACT["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema_rs.validate(answer | {"components": CONTRACT["components"]}, body)


# --- fields


@pytest.mark.parametrize("path", ["/deals/", "/clients/"])
def test_a_list_has_the_members_that_are_asked_for(api, deal, path):
    body = api.get(path, {"fields": "id,version"}).json()
    assert [set(item) for item in body["items"]] == [{"id", "version"}]
    fits(path, body)


def test_a_single_one_has_too(api, deal):
    body = api.get(f"/deals/{deal.pk}", {"fields": "number,notes,number"}).json()
    assert body == {"number": 1, "notes": "Ключи у соседа"}
    fits("/deals/{deal_id}", body)
    assert api.get(f"/clients/{deal.client_id}", {"fields": "name"}).json() == {"name": "Мария Петрова"}


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("/deals/", "id,price,colour", "unknown"),
        ("/deals/", "notes", "unknown"),  # a list omits it
        ("/deals/", "", "unknown"),
        ("/deals/", "id, price", "unknown"),
        ("/deals/", ",".join(["id"] * 51), "too_many"),
        ("/clients/", "phones", "unknown"),
        ("/clients/", "agent.name", "unknown"),
    ],
)
def test_an_unknown_member_is_refused(api, path, fields, code):
    assert refused(api.get(path, {"fields": fields}), 422, "invalid", "?fields")["errors"][0]["code"] == code


def test_who_asks_for_what_is_not_there_is_told_what_is(api):
    refusal = refused(api.get("/clients/", {"expand": "deals"}), 422, "invalid", "?expand")
    assert refusal["errors"][0]["message"].endswith(": agent.")
    refusal = refused(api.get("/deals/", {"kind": "swap"}), 422, "invalid", "?kind")
    assert refusal["errors"][0]["message"].endswith(": sale, purchase, let, rent.")


def test_one_parameter_may_be_given_once(api):
    response = api.get("/deals/", {"fields": ["id", "number"]})
    assert refused(response, 422, "invalid", "?fields")["errors"][0]["code"] == "repeated_parameter"


def test_who_does_not_ask_for_the_number_does_not_look(api, deal):
    assert api.get(f"/deals/{deal.pk}", {"fields": "id,client_phone_masked"}).status_code == 200
    assert api.get(f"/clients/{deal.client_id}", {"fields": "id,notes"}).status_code == 200
    assert Action.CLIENT_LOOKED_AT not in actions()
    assert api.get(f"/deals/{deal.pk}", {"fields": "client_phone"}).json() == {"client_phone": PHONE}
    assert Action.CLIENT_LOOKED_AT in actions()


def test_the_tag_is_of_the_version_and_of_what_is_shown(api, deal):
    whole, part = (api.get(f"/deals/{deal.pk}", query) for query in ({}, {"fields": "id"}))
    assert part["ETag"].startswith('"1.')
    assert part["ETag"] != whole["ETag"]
    again = api.get(f"/deals/{deal.pk}", {"fields": "id"}, If_None_Match=part["ETag"])
    assert again.status_code == 304


def test_a_cursor_does_not_mind_what_is_shown(api, anna):
    for last in range(3):
        make_deal(anna, f"7916000000{last}")
    cursor = api.get("/deals/", {"limit": 2}).json()["next_cursor"]
    page = api.get("/deals/", {"limit": 2, "cursor": cursor, "fields": "number", "expand": ""})
    refused(page, 422, "invalid", "?expand")
    page = api.get("/deals/", {"limit": 1, "cursor": cursor, "fields": "number"})
    assert page.json() == {"items": [{"number": 1}], "next_cursor": None}


def test_the_next_page_shows_the_same(api, anna):
    for last in range(3):
        make_deal(anna, f"7916000000{last}")
    page = api.get("/deals/", {"limit": 1, "fields": "number,client", "expand": "client"})
    address = page["Link"].removeprefix("<").partition(">")[0].removeprefix("/api/v1")
    following = api.get(address).json()["items"]
    assert following[0]["number"] == 2
    assert following[0]["client"]["phones_masked"] == ["+7 916 ***-**-01"]


# --- expand


def test_a_client_is_expanded_as_his_list_shows_him(api, deal):
    (shown,) = api.get("/clients/").json()["items"]
    page = api.get("/deals/", {"expand": "client"}).json()
    assert page["items"][0]["client"] == shown
    fits("/deals/", page)
    alone = api.get(f"/deals/{deal.pk}", {"expand": "client", "fields": "client"}).json()
    assert alone == {"client": shown}
    fits("/deals/{deal_id}", alone)


def test_all_numbers_of_a_client_are_masked_in_their_order(api, anna):
    client = make_client(anna, PHONE, OTHER_PHONE)
    make_deal(anna, client=client.pk)
    (item,) = api.get("/deals/", {"expand": "client"}).json()["items"]
    assert item["client"]["phones_masked"] == ["+7 916 ***-**-67", "+7 926 ***-**-21"]


def test_an_agent_is_expanded_as_the_list_of_agents_shows_him(api, vera, deal):
    colleagues = {row["id"]: row for row in api.get("/agents").json()["items"]}
    for path in ("/deals/", "/clients/"):
        body = Program(vera).get(path, {"expand": "agent"}).json()
        assert body["items"][0]["agent"] == colleagues[str(deal.agent_id)]
        assert set(body["items"][0]["agent"]) == COLLEAGUE
        fits(path, body)
    assert set(api.get(f"/clients/{deal.client_id}", {"expand": "agent"}).json()["agent"]) == COLLEAGUE


def test_both_are_expanded_together(vera, deal):
    (item,) = Program(vera).get("/deals/", {"expand": "client,agent"}).json()["items"]
    assert item["client"]["agent"]["id"] == item["agent"]["id"] == str(deal.agent_id)


def test_a_trashed_client_of_a_trashed_deal_is_expanded(api, anna, deal):
    trash_deal(deal.pk, actor=by(anna), version=1)
    api.delete(f"/clients/{deal.client_id}", version=1)
    (item,) = api.get("/deals/", {"trashed": "true", "expand": "client"}).json()["items"]
    assert item["client"]["deleted_at"]


@pytest.mark.parametrize(
    ("path", "expand", "code"),
    [
        ("/deals/", "stage", "unknown"),
        ("/deals/", "", "unknown"),
        ("/deals/", "client.agent", "unknown"),
        ("/deals/", "agent,agent,agent,agent,agent,agent", "too_many"),
        ("/clients/", "client", "unknown"),
    ],
)
def test_what_cannot_be_expanded_is_refused(api, path, expand, code):
    assert refused(api.get(path, {"expand": expand}), 422, "invalid", "?expand")["errors"][0]["code"] == code


def test_what_is_left_out_is_not_expanded(api, deal):
    query = {"fields": "id,number", "expand": "client"}
    for path in ("/deals/", f"/deals/{deal.pk}"):
        error = refused(api.get(path, query), 422, "invalid", "?expand")["errors"][0]
        assert error["code"] == "not_among_fields"


@pytest.mark.parametrize("path", ["/deals/", "/deals/0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"])
def test_a_key_that_may_not_see_clients_expands_none(vera, deal, path):
    key = program(make_key(vera, [Scope.DEALS_READ]).token)
    refused(key.get(f"/api/v1{path}", {"expand": "client"}), 403, "scope_missing")
    seeing = program(make_key(vera, [Scope.DEALS_READ, Scope.CLIENTS_READ]).token)
    (item,) = seeing.get("/api/v1/deals/", {"expand": "client"}).json()["items"]
    assert item["client"]["phones_masked"] == ["+7 916 ***-**-67"]


def test_a_key_expands_agents_with_the_scope_of_the_list(vera, deal):
    key = program(make_key(vera, [Scope.DEALS_READ]).token)
    (item,) = key.get("/api/v1/deals/", {"expand": "agent"}).json()["items"]
    assert set(item["agent"]) == COLLEAGUE


# --- what it costs


def test_each_expansion_costs_one_statement_a_page(api, anna, deal):
    for last in range(10):
        make_deal(anna, f"7916000000{last}")
    with at_most(2):
        api.get("/deals/")
    with at_most(3):
        api.get("/deals/", {"expand": "client"})
    with at_most(4):
        api.get("/deals/", {"expand": "client,agent", "fields": "id,client,agent"})
    look_at(deal.client, actor=by(anna))
    with at_most(3):
        api.get(f"/deals/{deal.pk}", {"expand": "client"})
