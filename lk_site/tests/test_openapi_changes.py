"""The gate against changes that break clients: one test for each kind of break, and one for what breaks nothing."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from lk_site.api import api
from lk_site.api_docs import document
from lk_site.openapi_changes import breaks

DEAL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "status": {"type": "string", "enum": ["open", "won"]},
        "price": {"type": "integer"},
        "notes": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
    },
    "required": ["id", "status", "price", "notes", "parts"],
}
PART: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
    },
    "required": ["name"],
}
DEAL_IN: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "kind": {"type": "string", "enum": ["sale", "rent"]},
        "price": {"type": "string", "pattern": "^[0-9]+$", "maxLength": 15},
        "count": {"type": "integer", "minimum": 1, "maximum": 10},
        "phones": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "notes": {"anyOf": [{"type": "string", "maxLength": 5000}, {"type": "null"}]},
    },
    "required": ["price"],
}
TOLD: dict[str, Any] = {"type": "object", "properties": {"fields": {"type": "array", "items": {"type": "string"}}}}
TOLD_REF = {"$ref": "#/components/schemas/Told"}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/deals": {
            "post": {
                "operationId": "create_deal",
                "parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 100}},
                    {"in": "header", "name": "Idempotency-Key", "schema": {"type": "string", "maxLength": 255}},
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DealIn"}}},
                },
                "responses": {
                    "201": {
                        "headers": {"ETag": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Deal"}}},
                    },
                    "404": {"description": "Not found"},
                },
                "security": [{"session": []}, {"key": ["deals:write"]}],
            }
        },
        "/me": {"get": {"operationId": "get_me", "responses": {"204": {}}}},
    },
    "webhooks": {"event": {"post": {"requestBody": {"content": {"application/json": {"schema": TOLD_REF}}}}}},
    "components": {
        "schemas": {"Deal": DEAL, "Part": PART, "DealIn": DEAL_IN, "Told": TOLD},
        "examples": {"client_exists": {"value": {"status": 409}}},
    },
}
Change = Callable[[dict[str, Any]], Any]


def after(change: Change) -> list[str]:
    """Return what a change of the document breaks, in words."""
    changed = copy.deepcopy(DOCUMENT)
    change(changed)
    return [str(found) for found in breaks(DOCUMENT, changed)]


def operation(changed: dict[str, Any]) -> Any:
    return changed["paths"]["/deals"]["post"]


def sent(changed: dict[str, Any]) -> Any:
    return changed["components"]["schemas"]["DealIn"]


def answered(changed: dict[str, Any]) -> Any:
    return changed["components"]["schemas"]["Deal"]


def other(part: Any, **members: Any) -> None:
    part.clear()
    part.update(members)


REMOVED: list[tuple[Change, str]] = [
    (lambda d: d["paths"].pop("/me"), "GET /me: removed"),
    (lambda d: d["paths"]["/me"].pop("get"), "GET /me: removed"),
    (lambda d: operation(d).update(operationId="make_deal"), "POST /deals: renamed to make_deal"),
    (lambda d: operation(d)["parameters"].pop(0), "POST /deals query limit: removed"),
    (lambda d: operation(d).pop("requestBody"), "POST /deals body: removed"),
    (
        lambda d: operation(d)["responses"].update({"200": operation(d)["responses"].pop("201")}),
        "POST /deals 201: removed",
    ),
    (lambda d: operation(d)["responses"]["201"]["headers"].pop("ETag"), "POST /deals 201 header ETag: removed"),
    (lambda d: other(operation(d)["responses"]["201"]["content"]), "POST /deals 201: no longer application/json"),
    (lambda d: other(operation(d)["requestBody"]["content"]), "POST /deals body: no longer application/json"),
    (lambda d: answered(d)["properties"].pop("notes"), "POST /deals 201 .notes: removed"),
    (lambda d: d["components"]["schemas"]["Part"]["properties"].pop("name"), "POST /deals 201 .parts[] .name: removed"),
    (lambda d: d["webhooks"].pop("event"), "webhook event: removed"),
    (lambda d: d["components"]["schemas"]["Told"]["properties"].pop("fields"), "webhook event .fields: removed"),
    (lambda d: sent(d)["properties"].pop("notes"), "POST /deals body .notes: removed"),
]
REQUIRED: list[tuple[Change, str]] = [
    (
        lambda d: operation(d)["parameters"].append({"in": "query", "name": "q", "schema": {}, "required": True}),
        "POST /deals query q: required and new",
    ),
    (lambda d: operation(d)["parameters"][1].update(required=True), "POST /deals header Idempotency-Key: required now"),
    (lambda d: operation(d)["requestBody"].update(required=True), "POST /deals body: required now"),
    (
        lambda d: d["paths"]["/me"]["get"].update(requestBody={"required": True, "content": {}}),
        "GET /me body: required and new",
    ),
    (lambda d: sent(d)["required"].append("kind"), "POST /deals body .kind: required now"),
    (
        lambda d: (sent(d)["required"].append("agent"), sent(d)["properties"].update(agent={"type": "string"})),
        "POST /deals body .agent: required now",
    ),
    (
        lambda d: d["paths"]["/me"]["get"].update(security=[{"session": []}]),
        "GET /me: to be nobody is no longer enough",
    ),
    (
        lambda d: operation(d).update(security=[{"session": []}, {"key": ["deals:admin"]}]),
        "POST /deals: key deals:write is no longer enough",
    ),
    (lambda d: operation(d)["security"].pop(0), "POST /deals: session is no longer enough"),
]
NARROWED: list[tuple[Change, str]] = [
    (lambda d: operation(d)["parameters"][0]["schema"].update(maximum=50), "query limit: maximum 50 instead of 100"),
    (lambda d: operation(d)["parameters"][0]["schema"].update(minimum=5), "query limit: minimum 5 instead of none"),
    (lambda d: sent(d)["properties"]["kind"]["enum"].remove("rent"), "body .kind: 'rent' is no longer accepted"),
    (lambda d: sent(d)["properties"]["kind"].update(type="integer"), "body .kind: string is no longer accepted"),
    (lambda d: sent(d)["properties"]["count"].update(const=1), "body .count: only 1 now"),
    (lambda d: sent(d)["properties"]["count"].update(maximum=9), "body .count: maximum 9 instead of 10"),
    (lambda d: sent(d)["properties"]["count"].update(minimum=2), "body .count: minimum 2 instead of 1"),
    (lambda d: sent(d)["properties"]["price"].update(maxLength=10), "body .price: maxLength 10 instead of 15"),
    (lambda d: sent(d)["properties"]["price"].update(minLength=3), "body .price: minLength 3 instead of none"),
    (lambda d: sent(d)["properties"]["price"].update(pattern="^1$"), "body .price: pattern ^1$ instead of ^[0-9]+$"),
    (lambda d: sent(d)["properties"]["price"].update(format="date"), "body .price: format date instead of none"),
    (lambda d: sent(d)["properties"]["phones"].update(minItems=2), "body .phones: minItems 2 instead of 1"),
    (lambda d: sent(d)["properties"]["phones"].update(maxItems=3), "body .phones: maxItems 3 instead of none"),
    (
        lambda d: sent(d)["properties"]["phones"].update(items={"type": "integer"}),
        "phones[]: string is no longer accepted",
    ),
    (lambda d: sent(d)["properties"]["notes"]["anyOf"].pop(), "body .notes: null is no longer accepted"),
    (
        lambda d: sent(d)["properties"]["notes"]["anyOf"][0].update(maxLength=9),
        "body .notes: maxLength 9 instead of 5000",
    ),
]
LOOSENED: list[tuple[Change, str]] = [
    (lambda d: answered(d)["required"].remove("price"), "201 .price: may be absent now"),
    (lambda d: other(answered(d)["properties"]["price"], type=["integer", "null"]), "201 .price: may be null now"),
    (
        lambda d: other(answered(d)["properties"]["price"], anyOf=[{"type": "integer"}, {"type": "null"}]),
        "201 .price: may be null now",
    ),
    (lambda d: answered(d)["properties"]["price"].update(type="string"), "201 .price: may be string now"),
    (lambda d: answered(d)["properties"]["price"].update(type="number"), "201 .price: may be number now"),
    (lambda d: answered(d)["properties"]["id"].pop("format"), "201 .id: format none instead of uuid"),
    (lambda d: other(answered(d)["properties"]["parts"], type="object"), "201 .parts: may be object now"),
    (
        lambda d: d["components"]["examples"]["client_exists"]["value"].update(status=422),
        "refusal client_exists: status 422 instead of 409",
    ),
]


@pytest.mark.parametrize(("change", "told"), REMOVED + REQUIRED + NARROWED + LOOSENED)
def test_a_break_is_found_and_named(change: Change, told: str):
    (found,) = after(change)
    assert found.endswith(told)


UNHARMFUL: dict[str, Change] = {
    "nothing": lambda d: None,
    "a new address": lambda d: d["paths"].update({"/keys": {"get": {"operationId": "k", "responses": {}}}}),
    "a new method": lambda d: d["paths"]["/me"].update(patch={"operationId": "edit_me", "responses": {}}),
    "a new parameter": lambda d: operation(d)["parameters"].append({"in": "query", "name": "q", "schema": {}}),
    "a new member that may be sent": lambda d: sent(d)["properties"].update(agent={"type": "string"}),
    "a member that need not be sent any more": lambda d: sent(d)["required"].clear(),
    "a new member of an answer": lambda d: answered(d)["properties"].update(agent={"type": "string"}),
    "a new value of an enumeration of an answer": lambda d: answered(d)["properties"]["status"]["enum"].append("lost"),
    "a new value that may be sent": lambda d: sent(d)["properties"]["kind"]["enum"].append("let"),
    "any value may be sent": lambda d: sent(d)["properties"]["kind"].pop("enum"),
    "wider bounds": lambda d: sent(d)["properties"]["count"].update(minimum=0, maximum=11),
    "bounds of an answer": lambda d: answered(d)["properties"]["id"].update(maxLength=3),
    "null may be sent": lambda d: sent(d)["properties"]["count"].update(type=["integer", "null"]),
    "an answer is never null any more": lambda d: answered(d)["properties"]["notes"]["anyOf"].pop(),
    "a number in place of an integer may be sent": lambda d: sent(d)["properties"]["count"].update(type="number"),
    "a refusal goes": lambda d: operation(d)["responses"].pop("404"),
    "a refusal comes": lambda d: operation(d)["responses"].update({"409": {}}),
    "another way in": lambda d: operation(d)["security"].append({"key": ["deals:all"]}),
    "open to all": lambda d: operation(d).pop("security"),
    "a new header": lambda d: operation(d)["responses"]["201"]["headers"].update(Link={}),
    "a schema of another name": lambda d: (
        d["components"]["schemas"].update(NewDeal=answered(d)),
        operation(d)["responses"]["201"]["content"]["application/json"].update(
            schema={"allOf": [{"$ref": "#/components/schemas/NewDeal"}]}
        ),
    ),
}


@pytest.mark.parametrize("change", UNHARMFUL.values(), ids=UNHARMFUL.keys())
def test_what_breaks_nobody_is_not_told(change: Change):
    assert after(change) == []


def test_one_of_several_shapes_is_compared_with_the_one_nearest_to_it():
    def several(changed: dict[str, Any]) -> None:
        shapes = [{"$ref": "#/components/schemas/Part"}, copy.deepcopy(DEAL_IN)]
        shapes[1]["properties"]["price"]["maxLength"] = 3
        changed["components"]["schemas"]["DealIn"] = {"anyOf": shapes}

    assert after(several) == ["POST /deals body .price: maxLength 3 instead of 15"]


ASKED = {"type": "object", "x-asked-for": True, "properties": {"id": {"type": "string", "format": "uuid"}}}


def with_asked_for(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose answer has this shape too, for who asks for it."""
    changed = copy.deepcopy(document)
    changed["components"]["schemas"]["Asked"] = copy.deepcopy(schema)
    shapes = [{"$ref": "#/components/schemas/Deal"}, {"$ref": "#/components/schemas/Asked"}]
    operation(changed)["responses"]["201"]["content"]["application/json"]["schema"] = {"anyOf": shapes}
    return changed


def test_a_shape_that_must_be_asked_for_breaks_nobody():
    assert breaks(DOCUMENT, with_asked_for(DOCUMENT, ASKED)) == []


def test_nor_does_it_hide_what_the_shape_without_asking_has_lost():
    old = with_asked_for(DOCUMENT, ASKED)
    new = copy.deepcopy(old)
    answered(new)["required"].remove("id")
    assert [str(found) for found in breaks(old, new)] == ["POST /deals 201 .id: may be absent now"]


def test_who_asked_for_a_shape_keeps_it():
    old, new = with_asked_for(DOCUMENT, ASKED), with_asked_for(DOCUMENT, {**ASKED, "properties": {}})
    assert [str(found) for found in breaks(old, new)] == ["POST /deals 201 .id: removed"]


def test_the_generated_document_breaks_nothing_of_the_committed_one():
    committed = json.loads((settings.BASE_DIR / "openapi.json").read_text(encoding="utf-8"))
    found = breaks(committed, json.loads(document(api)))
    assert not found, "\n" + "\n".join(map(str, found))


class TestCommand:
    @pytest.fixture
    def committed(self, tmp_path: Any, settings: Any) -> Any:
        """A committed document that has an address which the API no longer has."""
        settings.BASE_DIR = tmp_path
        had = json.loads(document(api))
        had["paths"]["/api/v1/gone"] = {"get": {"operationId": "gone", "responses": {}}}
        (tmp_path / "openapi.json").write_text(json.dumps(had), encoding="utf-8")
        return tmp_path / "openapi.json"

    @pytest.mark.parametrize("reason", [None, "", "  "])
    def test_refuses_to_write_what_breaks_clients(self, committed: Any, reason: str | None):
        with pytest.raises(CommandError, match="GET /api/v1/gone: removed"):
            call_command("write_openapi", breaking=reason)
        assert "/api/v1/gone" in committed.read_text(encoding="utf-8")

    def test_writes_it_for_a_reason_and_says_what_to_tell(self, committed: Any, capsys: Any):
        call_command("write_openapi", breaking="Nobody ever called it")
        assert committed.read_text(encoding="utf-8") == document(api)
        told = capsys.readouterr().out
        assert "Nobody ever called it" in told
        assert "GET /api/v1/gone: removed" in told
