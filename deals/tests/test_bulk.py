"""`/deals/bulk` and `/clients/bulk`: each item as its single operation, all in one answer."""

from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest

from accounts.models import Action, Event, IdempotencyKey, Scope
from accounts.services import evidence
from accounts.tests.programs import make_key, program
from deals.models import Client, Deal, DealCounter, Note
from deals.services.deals import trash_deal
from deals.tests.making import ADDRESS, OTHER_PHONE, PHONE, THIRD_PHONE, actions, by, make_client, make_deal
from deals.tests.programs import Program, refused
from deals.tests.test_selection import CONTRACT
from lk_site.tests.databases import digests

pytestmark = pytest.mark.django_db

NEW = {"do": "create", "property_address": ADDRESS, "price": "100.00"}


@pytest.fixture
def api(anna) -> Program:
    return Program(anna)


def new_deal(phone: str = PHONE, **fields: Any) -> dict[str, Any]:
    return NEW | {"client_phone": phone} | fields


def bulk(who: Program, *items: Any, about: str = "deals", key: str = "", **options: Any) -> dict[str, Any]:
    """Send the items, and return the answer, which fits what OpenAPI says of it."""
    response = who.post(f"/{about}/bulk", {"items": items, **options}, key=key)
    assert response.status_code == 200, response.content.decode()
    body = response.json()
    answer = CONTRACT["paths"][f"/api/v1/{about}/bulk"]["post"]["responses"]["200"]["content"]["application/json"]
    jsonschema_rs.validate(answer["schema"] | {"components": CONTRACT["components"]}, body)
    assert [row["index"] for row in body["items"]] == list(range(len(items)))
    return dict(body)


def statuses(body: dict[str, Any]) -> list[int]:
    return [row["status"] for row in body["items"]]


def codes(body: dict[str, Any]) -> list[str | None]:
    return [row["problem"] and row["problem"]["code"] for row in body["items"]]


# --- what items do


def test_every_deed_of_deals_does_what_its_single_operation_does(vera, anna, boris):
    head = Program(vera)
    deals = [make_deal(anna, f"7916000000{last}") for last in range(6)]
    trash_deal(deals[3].pk, actor=by(anna), version=1)
    ids = [str(deal.pk) for deal in deals]
    body = bulk(
        head,
        new_deal(THIRD_PHONE, client_name="Мария", notes="Ключи"),
        {"do": "edit", "id": ids[0], "version": 1, "price": "5.00", "notes": "Торг"},
        {"do": "move", "id": ids[1], "version": 1, "to": "lost", "lost_reason": "other", "comment": "Передумал"},
        {"do": "trash", "id": ids[2], "version": 1},
        {"do": "restore", "id": ids[3], "version": 2},
        {"do": "hand_over", "id": ids[4], "version": 1, "agent": str(boris.pk)},
        {"do": "add_note", "id": ids[5], "text": "Позвонить"},
    )
    assert statuses(body) == [201, 200, 200, 204, 200, 200, 201]
    assert [row["version"] for row in body["items"]] == [1, 2, 2, 2, 3, 2, None]
    assert body["committed"]
    assert [row["id"] for row in body["items"]][1:6] == ids[:5]
    created = Deal.objects.get(pk=body["items"][0]["id"])
    assert (created.agent_id, created.client.name, created.notes) == (vera.pk, "Мария", "Ключи")
    assert Deal.objects.get(pk=ids[0]).price == 5
    lost = Deal.objects.get(pk=ids[1])
    assert (lost.stage.code, lost.lost_comment) == ("lost", "Передумал")
    assert Deal.objects.get(pk=ids[2]).deleted_at
    assert Deal.objects.get(pk=ids[3]).deleted_at is None
    assert Deal.objects.get(pk=ids[4]).agent_id == boris.pk
    assert Note.objects.get().pk.hex == body["items"][6]["id"].replace("-", "")


def test_every_deed_of_clients_does_what_its_single_operation_does(api, anna):
    first, second = make_client(anna, PHONE), make_client(anna, OTHER_PHONE)
    body = bulk(
        api,
        {"do": "create", "phones": [THIRD_PHONE], "name": "Мария"},
        {"do": "edit", "id": str(first.pk), "version": 1, "name": "Пётр", "email": None},
        {"do": "trash", "id": str(second.pk), "version": 1},
        {"do": "restore", "id": str(second.pk), "version": 2},
        about="clients",
    )
    assert (statuses(body), [row["version"] for row in body["items"]]) == ([201, 200, 204, 200], [1, 2, 2, 3])
    assert Client.objects.get(pk=first.pk).name == "Пётр"


def test_the_evidence_is_that_of_single_operations(api, anna):
    deal = make_deal(anna)
    before = Event.objects.count()
    bulk(
        api,
        {"do": "edit", "id": str(deal.pk), "version": 1, "price": "5.00"},
        {"do": "move", "id": str(deal.pk), "version": 2, "to": "showing"},
        {"do": "edit", "id": str(deal.pk), "version": 3, "price": "5.00"},
    )
    told = Event.objects.order_by("seq")[before:]
    assert [(event.action, event.version) for event in told] == [(Action.DEAL_CHANGED, 2), (Action.DEAL_MOVED, 3)]
    assert {flaw for _, flaw in evidence.verify()} == {None}


def test_no_number_is_shown_so_nobody_looks(api):
    body = bulk(api, new_deal(), new_deal(OTHER_PHONE))
    assert Action.CLIENT_LOOKED_AT not in actions()
    assert all(set(row) == {"index", "status", "id", "version", "problem"} for row in body["items"])


# --- refusals


def test_a_refused_item_leaves_the_others_alone(api, anna):
    make_deal(anna, PHONE, client_name="Мария Петрова")
    body = bulk(
        api,
        new_deal(OTHER_PHONE),
        new_deal(PHONE, client_name="Пётр"),
        new_deal(THIRD_PHONE, price="free"),
        new_deal(THIRD_PHONE),
    )
    assert (statuses(body), codes(body)) == ([201, 409, 422, 201], [None, "client_exists", "invalid", None])
    assert body["committed"]
    assert Deal.objects.count() == 3


def test_a_problem_is_that_of_the_single_operation_and_points_into_the_request(api, anna):
    deal = make_deal(anna)
    wrong = {"price": "free", "colour": "red", "next_step": {"due_on": "soon"}}
    single = refused(api.patch(f"/deals/{deal.pk}", wrong, version=1), 422, "invalid")
    body = bulk(api, new_deal(OTHER_PHONE), {"do": "edit", "id": str(deal.pk), "version": 1, **wrong})
    problem = body["items"][1]["problem"]
    assert {error["pointer"] for error in problem["errors"]} == {
        f"/items/1{error['pointer']}" for error in single["errors"]
    }
    assert set(single) - set(problem) == {"instance", "request_id"}
    assert problem["title"] == single["title"]


def test_rules_of_the_service_point_into_the_request_too(api, anna):
    deal = make_deal(anna)
    body = bulk(api, {"do": "move", "id": str(deal.pk), "version": 1, "to": "lost"}, new_deal(price="0.00"))
    assert codes(body) == ["stage_closed", "invalid"]
    assert body["items"][0]["problem"]["errors"][0]["pointer"] == "/items/0/lost_reason"
    assert body["items"][1]["problem"]["errors"][0]["pointer"] == "/items/1/price"


def test_versions_are_needed_and_compared(api, anna):
    deal = make_deal(anna)
    about = {"do": "edit", "id": str(deal.pk), "price": "5.00"}
    body = bulk(api, about, about | {"version": 2}, about | {"version": 0}, about | {"version": "1"}, about)
    assert statuses(body) == [428, 412, 422, 422, 428]
    assert body["items"][1]["problem"]["current_version"] == 1
    assert body["items"][1]["id"] == str(deal.pk)


def test_absent_and_foreign_rows_look_the_same_and_leave_evidence(api, boris):
    theirs, absent = str(make_deal(boris).pk), str(uuid4())
    items = [{"do": "trash", "id": one, "version": 1} for one in (theirs, absent)]
    body = bulk(api, *items)
    first, second = body["items"]
    assert statuses(body) == [404, 404]
    assert first["problem"] | {"errors": []} == second["problem"] | {"errors": []}
    told = Event.objects.filter(action=Action.ACCESS_REFUSED).values_list("object_id", flat=True)
    assert {str(pk) for pk in told} == {theirs, absent}


def test_what_is_not_allowed_is_refused_and_leaves_evidence_once(api, anna, boris):
    deal = make_deal(anna)
    item = {"do": "hand_over", "id": str(deal.pk), "version": 1, "agent": str(boris.pk)}
    assert codes(bulk(api, item, item)) == ["not_allowed", "not_allowed"]
    assert Event.objects.filter(action=Action.ACCESS_REFUSED).count() == 1


@pytest.mark.parametrize(
    ("item", "pointer", "code"),
    [
        ({}, "/items/0/do", "required"),
        ({"do": "reveal"}, "/items/0/do", "unknown"),
        ({"do": ["create"]}, "/items/0/do", "unknown"),
        ({"do": None}, "/items/0/do", "unknown"),
        ({"do": "trash", "version": 1}, "/items/0/id", "required"),
        ({"do": "trash", "id": "1"}, "/items/0/id", "not_an_id"),
        ({"do": "trash", "id": str(uuid4()), "version": True}, "/items/0/version", "not_a_whole_number"),
        ({"do": "add_note", "id": str(uuid4()), "text": "x", "version": 1}, "/items/0/version", "unknown_field"),
        (new_deal() | {"id": str(uuid4())}, "/items/0/id", "unknown_field"),
    ],
)
def test_the_shape_of_an_item_is_refused_in_its_row(api, item, pointer, code):
    (row,) = bulk(api, item)["items"]
    assert (row["status"], row["id"], row["version"]) == (422, None, None)
    assert [(error["pointer"], error["code"]) for error in row["problem"]["errors"]] == [(pointer, code)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/items"),
        ({"items": []}, "/items"),
        ({"items": [NEW] * 101}, "/items"),
        ({"items": {}}, "/items"),
        ({"items": [NEW, "create"]}, "/items/1"),
        ({"items": [NEW], "atomic": "yes"}, "/atomic"),
        ({"items": [NEW], "dry_run": 1}, "/dry_run"),
        ({"items": [NEW], "all": True}, "/all"),
    ],
)
@pytest.mark.parametrize("about", ["deals", "clients"])
def test_the_shape_of_the_whole_is_refused_whole(api, about, body, pointer):
    refused(api.post(f"/{about}/bulk", body), 422, "invalid", pointer)


def test_a_few_errors_of_an_item_are_told_whatever_it_holds(api):
    (row,) = bulk(api, {f"x{n}": n for n in range(1000)} | {"do": "create"})["items"]
    assert len(row["problem"]["errors"]) == 5


def test_sentences_are_in_the_language_asked_for(anna):
    body = bulk(Program(anna, language="ru"), {"do": "trash", "id": str(uuid4()), "version": 1})
    assert body["items"][0]["problem"]["title"] == "Не найдено"


# --- atomic, dry run, once


def test_atomic_is_all_or_nothing(api, anna):
    deal = make_deal(anna)
    before = digests()
    edit = {"do": "edit", "id": str(deal.pk), "version": 1, "price": "5.00"}
    body = bulk(
        api, new_deal(OTHER_PHONE), edit, edit | {"price": "-1"}, new_deal(THIRD_PHONE, kind="swap"), atomic=True
    )
    assert (statuses(body), body["committed"]) == ([424, 424, 422, 422], False)
    assert codes(body)[:2] == ["not_done", "not_done"]
    assert digests().differ_from(before) == []
    assert bulk(api, new_deal(OTHER_PHONE), edit, atomic=True)["committed"]


@pytest.mark.parametrize("atomic", [False, True])
def test_a_dry_run_tells_what_would_be_and_leaves_no_trace(vera, anna, boris, atomic):
    deal, head = make_deal(anna), Program(vera)
    before, number = digests(), DealCounter.objects.get().last_number
    items = [
        new_deal(OTHER_PHONE, client_name="Мария", next_step={"text": "Позвонить", "due_on": "2026-12-01"}),
        {"do": "edit", "id": str(deal.pk), "version": 1, "price": "5.00"},
        {"do": "move", "id": str(deal.pk), "version": 2, "to": "showing"},
        {"do": "hand_over", "id": str(deal.pk), "version": 3, "agent": str(boris.pk)},
        {"do": "add_note", "id": str(deal.pk), "text": "Заметка"},
    ]
    body = bulk(head, *items, dry_run=True, atomic=atomic)
    assert (statuses(body), body["committed"]) == ([201, 200, 200, 200, 201], False)
    assert [row["version"] for row in body["items"]] == [1, 2, 3, 4, None]
    assert [row["id"] for row in body["items"]] == [None, *[str(deal.pk)] * 3, None]
    assert digests().differ_from(before) == []
    assert DealCounter.objects.get().last_number == number
    real = bulk(head, *items, atomic=atomic)
    assert (statuses(real), real["committed"]) == (statuses(body), True)


@pytest.mark.parametrize("options", [{"dry_run": True}, {"atomic": True}])
def test_who_looks_for_rows_that_are_not_his_leaves_evidence_though_nothing_is_kept(api, boris, options):
    deal = make_deal(boris)
    bulk(api, new_deal(OTHER_PHONE), {"do": "trash", "id": str(deal.pk), "version": 1}, **options)
    assert Event.objects.get(action=Action.ACCESS_REFUSED).object_id == deal.pk
    assert Deal.objects.count() == 1


def test_a_dry_run_that_is_atomic_tells_who_undoes_whom(api):
    body = bulk(api, new_deal(), new_deal(OTHER_PHONE, kind="swap"), dry_run=True, atomic=True)
    assert (statuses(body), body["committed"]) == ([424, 422], False)


@pytest.mark.parametrize("options", [{}, {"atomic": True}, {"dry_run": True}])
def test_a_key_holds_for_the_whole(api, options):
    items = [new_deal(), new_deal(OTHER_PHONE, price="x")]
    first = bulk(api, *items, key="k1", **options)
    kept = digests()
    again = api.post("/deals/bulk", {"items": items, **options}, key="k1")
    assert (again.json(), again["Idempotent-Replayed"]) == (first, "true")
    assert digests().differ_from(kept) == []
    assert Deal.objects.count() == int(not options)
    refused(api.post("/deals/bulk", {"items": items[:1]}, key="k1"), 422, "idempotency_key_reused")


def test_what_is_kept_for_a_replay_names_nobody(api):
    bulk(api, new_deal(client_name="Мария Петрова"), new_deal(client_name="Пётр"), key="k1")
    body = IdempotencyKey.objects.get().body or ""
    assert not any(said in body for said in ("Мария", "Петрова", "Пётр", PHONE, "Тверская"))


# --- keys


def test_a_key_names_the_agent_of_what_it_creates(vera, anna, boris, gleb):
    key = Caller(make_key(vera, [Scope.DEALS_WRITE]).token)
    body = key.bulk(
        new_deal(),
        new_deal(agent=str(anna.pk)),
        new_deal(OTHER_PHONE, agent=str(boris.pk)),
        new_deal(THIRD_PHONE, agent=str(gleb.pk)),
    )
    assert statuses(body) == [422, 201, 201, 422]
    assert body["items"][0]["problem"]["errors"][0]["pointer"] == "/items/0/agent"
    assert {deal.agent_id for deal in Deal.objects.all()} == {anna.pk, boris.pk}


def test_a_person_names_no_agent(api, boris):
    (row,) = bulk(api, new_deal(agent=str(boris.pk)))["items"]
    assert row["problem"]["errors"][0]["pointer"] == "/items/0/agent"


@pytest.mark.parametrize(("about", "scope"), [("deals", Scope.DEALS_WRITE), ("clients", Scope.CLIENTS_WRITE)])
def test_a_key_needs_the_scope_of_the_single_operations(vera, about, scope):
    other = make_key(vera, set(Scope) - {scope})
    response = Caller(other.token).post(about, [NEW])
    refused(response, 403, "scope_missing")


class Caller:
    """A program with a key."""

    def __init__(self, token: str) -> None:
        self.browser = program(token)

    def post(self, about: str, items: Any) -> Any:
        return self.browser.post(f"/api/v1/{about}/bulk", {"items": items}, "application/json")

    def bulk(self, *items: Any) -> dict[str, Any]:
        response = self.post("deals", items)
        assert response.status_code == 200, response.content.decode()
        return dict(response.json())


def test_bulks_have_a_limit_of_their_own_so_that_one_program_never_holds_an_agency(anna, settings):
    assert settings.LIMITS["bulk"] == (12, 120)
    program = Program(anna)
    body = {"items": [{"do": "trash", "id": str(uuid4()), "version": 1}]}
    answers = [program.post("/deals/bulk", body) for _ in range(13)]
    assert [answer.status_code for answer in answers] == [200] * 12 + [429]
    assert answers[0]["RateLimit-Policy"] == '"person";q=1500;w=300, "bulk";q=12;w=120'
    assert program.get("/deals/").status_code == 200
