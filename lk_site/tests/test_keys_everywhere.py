"""Every operation as a key of each scope: it does what its scopes say, and nothing that is for people only."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import resolve

from accounts.actor import Actor
from accounts.models import Action, Event, Role, Scope, User
from accounts.services import agencies, keys
from accounts.tests.people import make_agency, make_agent, sign_in
from accounts.tests.programs import confirmed, make_key, program
from deals.models import Deal
from deals.tests.making import make_deal
from deals.tests.programs import CREATED, Program
from lk_site.tests.asking import send
from lk_site.tests.walking import Route, World, make_world, routes, undone

pytestmark = pytest.mark.django_db

READERS = {Scope.DEALS_READ, Scope.DEALS_WRITE, Scope.CLIENTS_READ, Scope.CLIENTS_WRITE}
FOR_KEYS: dict[str, set[Scope]] = {  # operation -> any of these scopes opens it
    "GET key": set(Scope),
    "GET agents": READERS,
    "GET audit": {Scope.REPORTS_READ},
    "GET pipelines": READERS,
    "GET deals/": {Scope.DEALS_READ},
    "POST deals/": {Scope.DEALS_WRITE},
    "GET deals/<deal_id>": {Scope.DEALS_READ},
    "PATCH deals/<deal_id>": {Scope.DEALS_WRITE},
    "DELETE deals/<deal_id>": {Scope.DEALS_WRITE},
    "POST deals/<deal_id>/restore": {Scope.DEALS_WRITE},
    "POST deals/<deal_id>/stage-moves": {Scope.DEALS_WRITE},
    "POST deals/<deal_id>/stage-moves/undo": {Scope.DEALS_WRITE},
    "POST deals/<deal_id>/hand-over": {Scope.DEALS_WRITE},
    "GET deals/<deal_id>/timeline": {Scope.DEALS_READ},
    "POST deals/<deal_id>/notes": {Scope.DEALS_WRITE},
    "PATCH deals/<deal_id>/notes/<note_id>": {Scope.DEALS_WRITE},
    "DELETE deals/<deal_id>/notes/<note_id>": {Scope.DEALS_WRITE},
    "GET clients/": {Scope.CLIENTS_READ},
    "POST clients/": {Scope.CLIENTS_WRITE},
    "GET clients/<client_id>": {Scope.CLIENTS_READ},
    "PATCH clients/<client_id>": {Scope.CLIENTS_WRITE},
    "DELETE clients/<client_id>": {Scope.CLIENTS_WRITE},
    "POST clients/<client_id>/restore": {Scope.CLIENTS_WRITE},
    "POST clients/<client_id>/reveal": {Scope.CLIENTS_REVEAL},
    "GET changes": {Scope.DEALS_READ, Scope.CLIENTS_READ},
    "POST deals/bulk": {Scope.DEALS_WRITE},
    "POST clients/bulk": {Scope.CLIENTS_WRITE},
    "GET operations/<operation_id>": {Scope.DEALS_WRITE, Scope.CLIENTS_WRITE, Scope.WEBHOOKS_MANAGE},
    "GET lookups/addresses": READERS,
    "GET lookups/companies/<inn>": READERS,
    "GET webhooks": {Scope.WEBHOOKS_MANAGE},
    "POST webhooks": {Scope.WEBHOOKS_MANAGE},
    "GET webhooks/<webhook_id>": {Scope.WEBHOOKS_MANAGE},
    "PATCH webhooks/<webhook_id>": {Scope.WEBHOOKS_MANAGE},
    "DELETE webhooks/<webhook_id>": {Scope.WEBHOOKS_MANAGE},
    "POST webhooks/<webhook_id>/rotate-secret": {Scope.WEBHOOKS_MANAGE},
    "POST webhooks/<webhook_id>/switch-off": {Scope.WEBHOOKS_MANAGE},
    "POST webhooks/<webhook_id>/switch-on": {Scope.WEBHOOKS_MANAGE},
    "POST webhooks/<webhook_id>/test": {Scope.WEBHOOKS_MANAGE},
    "GET webhooks/<webhook_id>/deliveries": {Scope.WEBHOOKS_MANAGE},
    "GET webhooks/<webhook_id>/deliveries/<delivery_id>": {Scope.WEBHOOKS_MANAGE},
    "POST webhooks/<webhook_id>/deliveries/<delivery_id>/replay": {Scope.WEBHOOKS_MANAGE},
    "POST webhooks/<webhook_id>/replay": {Scope.WEBHOOKS_MANAGE},
}
PUBLIC = {"GET openapi.json", "GET docs", "GET "}
UNROUTED = {"POST openapi.json", "POST docs", "POST "}  # refused for their method
OPERATIONS = [route for route in routes() if route.door == "api"]
GATES = {"scope_missing", "not_for_keys", "network_refused"}


def named(route: Route) -> str:
    pattern = route.pattern.removeprefix("api/v1/")
    return f"{route.method} {pattern}".replace("<uuidstr:", "<").replace("<inn:", "<").replace("<str:", "<")


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def vera() -> User:
    return make_agent(agencies.add_agency("Ключ", actor=Actor.system()), "Вера Власова", role=Role.HEAD)


@pytest.fixture
def anna(vera: User) -> User:
    return make_agent(vera.agency, "Анна Агеева")


def code_of(response: Any) -> str:
    return response.json().get("code", "") if response.status_code >= 400 else ""


def ask_with(token: str, route: Route, world: World) -> Any:
    with undone():
        return send(program(token), route, world)


def test_every_operation_for_keys_stands_in_the_table():
    marked = {named(route) for route in OPERATIONS if is_for_keys(route)}
    assert marked == set(FOR_KEYS)


def is_for_keys(route: Route) -> bool:
    ids = dict.fromkeys(("deal_id", "client_id", "note_id", "session_id"), "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8")
    ids |= dict.fromkeys(("key_id", "webhook_id", "delivery_id", "operation_id", "alarm_id"), ids["deal_id"])
    ids["passkey_id"] = ids["deal_id"]
    callback: Any = resolve(route.address(inn="7707083893", **ids)).func
    return bool(getattr(callback, "scopes", {}).get(route.method))


@pytest.mark.parametrize("scope", Scope)
def test_a_key_does_what_its_scope_opens_and_nothing_else(world: World, scope: Scope):
    token = make_key(world.vera, [scope]).token
    for route in OPERATIONS:
        answer, name = code_of(ask_with(token, route, world)), named(route)
        if name in PUBLIC | UNROUTED:
            assert answer not in GATES, name
        elif name not in FOR_KEYS:
            assert answer == "not_for_keys", name
        elif scope in FOR_KEYS[name]:
            assert answer not in GATES, name
        else:
            assert answer == "scope_missing", name


def test_a_key_without_scopes_means_nothing(world: World):
    token = make_key(world.vera, []).token
    for route in OPERATIONS:
        if named(route) in FOR_KEYS:
            assert code_of(ask_with(token, route, world)) == "scope_missing", named(route)


def test_another_agencys_key_finds_what_is_absent(world: World):
    token = make_key(world.gleb).token
    for route in OPERATIONS:
        if named(route) in FOR_KEYS and ("deal_id" in route.pattern or "client_id" in route.pattern):
            assert ask_with(token, route, world).status_code == 404, named(route)


@pytest.mark.parametrize("token", ["", "lk_live_", "lk_live_" + "0" * 46, "Анна", "x" * 5000])
def test_a_wrong_key_is_401_with_a_challenge_and_cookies_are_ignored(vera: User, token: str):
    asks = program(token)
    sign_in(asks, vera, settings.SESSION_COOKIE_NAME)
    response = asks.get("/api/v1/deals/")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="LK", error="invalid_token"'


def test_with_a_key_the_cookies_of_a_person_count_for_nothing(vera: User, anna: User):
    asks = program(make_key(vera, []).token)
    sign_in(asks, vera, settings.SESSION_COOKIE_NAME)
    assert asks.get("/api/v1/deals/").status_code == 403


def test_pages_and_the_admin_know_no_keys(vera: User):
    asks = program(make_key(vera).token)
    assert asks.get("/deals/").status_code == 302
    assert asks.get("/admin/accounts/user/").status_code == 302


def test_a_key_needs_no_csrf_token(vera: User, anna: User):
    response = program(make_key(vera).token).post(
        "/api/v1/deals/", {**CREATED, "agent": str(anna.pk)}, content_type="application/json"
    )
    assert response.status_code == 201


def test_a_wrong_key_does_not_lift_the_csrf_check_of_a_login():
    asks = program("lk_live_" + "0" * 46)
    body = {"phone": "79161234567", "code": "123456"}
    assert asks.post("/api/v1/auth/verify-code", body, content_type="application/json").status_code == 403


def test_a_key_of_a_network_is_refused_from_elsewhere_and_that_is_not_its_use(vera: User):
    asks = program(make_key(vera, networks=["203.0.113.0/24", "2001:db8::/48"]).token)
    assert asks.get("/api/v1/key", REMOTE_ADDR="203.0.113.9").status_code == 200
    assert asks.get("/api/v1/key", REMOTE_ADDR="2001:db8::1").status_code == 200
    refused = asks.get("/api/v1/key", REMOTE_ADDR="203.0.114.9")
    assert (refused.status_code, refused.json()["code"]) == (403, "network_refused")


def test_a_key_names_the_agent_whom_a_deal_is_for(vera: User, anna: User):
    asks = program(make_key(vera).token)
    gone = make_agent(vera.agency, "Борис Белов", is_active=False)
    foreign = make_agent(make_agency("Свой угол"), "Глеб Громов")
    for agent in (None, gone, foreign):
        body = CREATED | ({"agent": str(agent.pk)} if agent else {})
        refused = asks.post("/api/v1/deals/", body, content_type="application/json")
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/agent"]
    assert not Deal.objects.exists()
    made = asks.post("/api/v1/deals/", {**CREATED, "agent": str(anna.pk)}, content_type="application/json")
    assert made.json()["agent"]["id"] == str(anna.pk)


def test_a_person_names_no_agent(vera: User, anna: User):
    refused = Program(vera).post("/deals/", {**CREATED, "agent": str(anna.pk)})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/agent"


def test_a_key_sees_masks_and_reveals_by_its_own_scope(vera: User, anna: User):
    deal = make_deal(anna, client_name="Мария Петрова")
    asks = program(make_key(vera, [Scope.DEALS_READ, Scope.CLIENTS_READ, Scope.CLIENTS_REVEAL]).token)
    assert asks.get(f"/api/v1/deals/{deal.pk}").json()["client_phone"] is None
    assert asks.get(f"/api/v1/clients/{deal.client_id}").json()["phones"] is None
    assert not Event.objects.filter(action=Action.CLIENT_LOOKED_AT).exists()
    revealed = asks.post(f"/api/v1/clients/{deal.client_id}/reveal", {}, content_type="application/json")
    assert revealed.json()["phones"] == deal.client.numbers
    told = Event.objects.get(action=Action.CLIENT_REVEALED)
    assert told.actor_kind == "key"


def test_reveals_of_a_key_are_sixty_an_hour(vera: User, anna: User):
    deal = make_deal(anna)
    asks = program(make_key(vera, [Scope.CLIENTS_REVEAL]).token)
    address = f"/api/v1/clients/{deal.client_id}/reveal"
    answers = [asks.post(address, {}, content_type="application/json").status_code for _ in range(61)]
    assert answers == [200] * 60 + [429]


def test_what_a_key_does_is_told_under_its_own_id(vera: User, anna: User):
    shown = make_key(vera)
    made = program(shown.token).post(
        "/api/v1/deals/", {**CREATED, "agent": str(anna.pk)}, content_type="application/json"
    )
    told = Event.objects.get(action=Action.DEAL_CREATED)
    assert (told.actor_kind, told.actor_id) == ("key", shown.key.pk)
    timeline = program(shown.token).get(f"/api/v1/deals/{made.json()['id']}/timeline").json()["items"]
    assert timeline[0]["actor"] is None
    assert timeline[0]["key"] == {"id": str(shown.key.pk), "name": "Бухгалтерия"}


def test_a_note_of_a_key_is_edited_and_deleted_by_it_only(vera: User, anna: User):
    shown, deal = make_key(vera), make_deal(anna)
    asks, other = program(shown.token), program(make_key(vera).token)
    notes = f"/api/v1/deals/{deal.pk}/notes"
    note = asks.post(notes, {"text": "Звонок"}, content_type="application/json").json()
    assert (note["author"], note["key"]["name"]) == (None, "Бухгалтерия")
    address = f"{notes}/{note['id']}"
    assert other.patch(address, {"text": "Чужое"}, content_type="application/json").status_code == 403
    assert asks.patch(address, {"text": "Звонок, 3 мин"}, content_type="application/json").status_code == 200
    assert asks.delete(address).status_code == 204


def test_an_idempotency_key_belongs_to_the_program_and_outlives_a_rotation(vera: User, anna: User):
    shown, other = make_key(vera), make_key(vera)
    body = {**CREATED, "agent": str(anna.pk)}

    def create(token: str) -> Any:
        headers = {"Idempotency-Key": "first"}
        return program(token).post("/api/v1/deals/", body, content_type="application/json", headers=headers)

    first = create(shown.token)
    rotated = keys.rotate_key(shown.key.pk, actor=confirmed(vera))
    again = create(rotated.token)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert create(other.token).json()["id"] != first.json()["id"]


def test_a_key_undoes_its_own_move_only(vera: User, anna: User):
    deal = make_deal(anna)
    asks, other = program(make_key(vera).token), program(make_key(vera).token)
    address = f"/api/v1/deals/{deal.pk}/stage-moves"
    asks.post(address, {"to": "showing"}, content_type="application/json", headers={"If-Match": '"1"'})
    tag = {"If-Match": '"2"'}
    undo = f"{address}/undo"
    assert other.post(undo, b"", content_type="application/json", headers=tag).status_code == 403
    assert asks.post(undo, b"", content_type="application/json", headers=tag).status_code == 200


class TestLimits:
    def test_the_real_numbers(self, settings: Any):
        assert settings.LIMITS["key"] == (120, 120)  # 60 a minute, 120 at once

    def test_a_key_that_hammers_is_refused_alone(self, vera: User, settings: Any):
        settings.LIMITS = {**settings.LIMITS, "key": (3, 120), "agency": (7, 120)}
        loud, calm = (program(make_key(vera).token) for _ in range(2))
        answers = [loud.get("/api/v1/key").status_code for _ in range(20)]
        assert answers == [200] * 3 + [429] * 17
        assert [calm.get("/api/v1/key").status_code for _ in range(3)] == [200] * 3

    def test_all_keys_of_an_agency_have_a_limit_together_and_another_agency_its_own(self, vera: User, settings: Any):
        settings.LIMITS = {**settings.LIMITS, "key": (3, 120), "agency": (4, 120)}
        first, second = (program(make_key(vera).token) for _ in range(2))
        gleb = make_agent(make_agency("Свой угол"), "Глеб Громов", role=Role.HEAD)
        elsewhere = program(make_key(gleb).token)
        assert [first.get("/api/v1/key").status_code for _ in range(3)] == [200] * 3
        assert [second.get("/api/v1/key").status_code for _ in range(2)] == [200, 429]
        assert elsewhere.get("/api/v1/key").status_code == 200

    def test_headers_tell_both_limits_on_every_response(self, vera: User):
        asks = program(make_key(vera, []).token)
        for address in ("/api/v1/key", "/api/v1/nothing", "/api/v1/me"):
            response = asks.get(address)
            assert response["RateLimit-Policy"] == '"key";q=120;w=120, "agency";q=1200;w=120'
            assert response["RateLimit"].startswith('"key";r=')

    def test_people_of_the_agency_are_not_slowed_by_its_programs(self, vera: User, settings: Any):
        settings.LIMITS = {**settings.LIMITS, "key": (1, 120), "agency": (1, 120)}
        loud = program(make_key(vera).token)
        assert [loud.get("/api/v1/key").status_code for _ in range(3)] == [200, 429, 429]
        assert Program(vera).get("/deals/").status_code == 200


def test_deals_of_every_agent_are_a_keys_to_see(vera: User, anna: User):
    mine, hers = make_deal(vera), make_deal(anna)
    listed = program(make_key(vera, [Scope.DEALS_READ]).token).get("/api/v1/deals/").json()["items"]
    assert {item["id"] for item in listed} == {str(mine.pk), str(hers.pk)}


def test_no_route_but_the_api_knows_a_key(world: World, settings: Any):
    """Every page and every address of the admin answers a key of every scope as it answers nobody."""
    settings.LIMITS = {**settings.LIMITS, "anonymous": (10**9, 300)}
    token = make_key(world.vera).token
    for route in routes():
        if route.door != "api":
            with undone():
                expected = send(Client(raise_request_exception=False), route, world).status_code
            assert ask_with(token, route, world).status_code in (expected, 403), str(
                route
            )  # 403: a form lacks its token
