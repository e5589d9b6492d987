"""`api.md`, "Who asks, and the order of refusals": doors, and the documents that say no. The order has its own file."""

import json
from typing import Any

import pytest
from django.conf import settings as ours
from django.test import Client as Browser

from accounts.tests.programs import make_key, program
from deals.tests.making import OTHER_PHONE
from deals.tests.programs import CREATED, ROOT, Program, refused
from lk_site.tests.askers import BySession
from lk_site.tests.walking import World

MEMBERS = {"type", "title", "status", "detail", "code", "instance", "request_id", "errors"}


def document_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """Check that a refusal is a whole problem document, and return it."""
    problem = refused(response, status, code)
    assert set(problem) >= MEMBERS
    assert problem["type"] == f"/api/v1/docs#{code}"
    assert problem["request_id"] == response["X-Request-ID"]
    assert problem["title"]
    return problem


# --- who asks


def test_a_session_carries_its_csrf_token_on_unsafe_methods(by_session: BySession):
    by_session.token = ""
    assert by_session.get("/deals/").status_code == 200
    refused(by_session.post("/deals/", CREATED), 403, "csrf_failed")


def test_a_key_is_a_bearer_and_needs_no_csrf_token(by_key: BySession):
    assert by_key.token == ""
    assert by_key.post("/deals/", by_key.new_deal()).status_code == 201


def test_with_a_key_cookies_are_ignored(world: World):
    vera = Program(world.vera)
    refused(vera.get("/deals/", Authorization="Bearer lk_live_nobody"), 401, "not_authenticated")
    narrow = make_key(world.vera, ["clients:read"]).token
    missing = vera.get("/deals/", Authorization=f"Bearer {narrow}")
    assert refused(missing, 403, "scope_missing")["scopes"] == ["deals:read"]


def test_401_says_how_to_come_in(world: World):
    nobody = Program().get("/deals/")
    refused(nobody, 401, "not_authenticated")
    assert nobody["WWW-Authenticate"]
    wrong = program("lk_live_" + "0" * 46).get(f"{ROOT}/deals/", headers={"Accept-Language": "en"})
    assert refused(wrong, 401, "not_authenticated")["detail"].startswith("This key")
    assert wrong["WWW-Authenticate"].startswith("Bearer")


def test_no_scope_means_nothing(world: World):
    for path in ("/deals/", "/clients/", "/pipelines", "/changes", "/key"):
        refused(program(make_key(world.vera, []).token).get(ROOT + path), 403, "scope_missing")


def test_bodies_are_application_json_else_415(api: BySession):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""):
        response = api.browser.generic(
            "POST", f"{ROOT}/deals/", b"{}", content_type=kind, headers={"X-CSRFToken": api.token}
        )
        document_of(response, 415, "not_json_type")


def test_origin_and_sec_fetch_site_are_checked_on_unsafe_methods(api: BySession):
    for foreign in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        refused(api.post("/deals/", api.new_deal(), **foreign), 403, "cross_site")
        assert api.get("/deals/", **foreign).status_code == 200
    assert api.post("/deals/", api.new_deal(), Origin="http://testserver").status_code == 201


def test_no_cors_headers_unless_an_allow_list_is_set(api: BySession):
    assert ours.CORS_ALLOWED_ORIGINS == []
    for response in (
        api.get("/deals/", Origin="https://other.example"),
        api.send("OPTIONS", "/deals/", None, Origin="https://other.example", Access_Control_Request_Method="POST"),
    ):
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


# --- absent, not allowed, and rules


def test_absent_and_not_yours_are_the_same_bytes(world: World):
    deal = f"/deals/{world.deal.pk}"
    absent = f"/deals/{world.client.pk}"  # an id that no deal has
    strangers = (Program(world.gleb), Program(world.boris), KeyOf(world))
    assert len({bytes_of(asker.get(path)) for asker in strangers for path in (deal, absent)}) == 1


class KeyOf(Program):
    """A program of another agency."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.browser = program(make_key(world.gleb).token, HTTP_ACCEPT_LANGUAGE="en")


def bytes_of(response: Any) -> bytes:
    """Return a refusal without what names this very request."""
    problem = document_of(response, 404, "not_found")
    return bytes(
        response.content.replace(problem["request_id"].encode(), b"").replace(problem["instance"].encode(), b"")
    )


def test_a_rules_refusal_is_422_with_its_own_code(api: BySession):
    path = f"/deals/{api.create()['id']}/stage-moves"
    document_of(api.post(path, {"to": "new"}, version=1), 422, "same_stage")
    document_of(api.post(path, {"to": "lost"}, version=1), 422, "stage_closed")


def test_a_clash_with_another_row_is_409(api: BySession, world: World):
    api.create_client(OTHER_PHONE)
    again = api.post("/clients/", {"phones": [OTHER_PHONE], **api.for_whom()})
    document_of(again, 409, "client_exists")
    document_of(api.delete(f"/clients/{world.client.pk}", version=1), 409, "client_has_deals")


# --- problem documents


def test_refusals_are_problem_documents(api: BySession, settings: Any, monkeypatch: pytest.MonkeyPatch):
    """Also those that Django or the framework would answer in their own way."""
    document_of(api.get("/nothing"), 404, "not_found")
    not_allowed = api.send("PUT", "/deals/", {})
    document_of(not_allowed, 405, "method_not_allowed")
    assert {"GET", "POST"} <= {method.strip() for method in not_allowed["Allow"].split(",")}
    document_of(api.post("/deals/", b" " * (ours.JSON_BYTES_AT_MOST + 1)), 413, "too_large")
    document_of(api.post("/deals/", b"{"), 400, "not_json")
    monkeypatch.setattr("deals.services.listing.list_deals", broken)
    document_of(api.get("/deals/"), 500, "server_error")
    settings.LIMITS = {**settings.LIMITS, "person": (0, 300), "key": (0, 120)}
    document_of(api.get("/clients/"), 429, "too_often")


def broken(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("select secret from /etc/passwd where phone = '79161234567'")


def test_errors_point_at_what_is_wrong(api: BySession):
    body = api.new_deal(price="0", next_step={"text": ""}, colour="red")
    problem = document_of(api.post("/deals/", body), 422, "invalid")
    found = {error["pointer"]: error["code"] for error in problem["errors"]}
    assert found.items() >= {"/next_step/text": "too_short", "/next_step/due_on": "required"}.items()
    assert all(set(error) == {"pointer", "code", "message"} for error in problem["errors"])
    query = document_of(api.get("/deals/", {"limit": "0"}), 422, "invalid")
    assert [error["pointer"] for error in query["errors"]] == ["?limit"]


def test_code_is_stable_and_title_and_detail_are_in_the_language_asked_for(api: BySession):
    path = f"/deals/{api.create()['id']}/stage-moves"
    answers = [api.post(path, {"to": "new"}, version=1, Accept_Language=language) for language in ("en", "ru")]
    english, russian = (document_of(answer, 422, "same_stage") for answer in answers)
    assert english["title"] != russian["title"]
    assert english["detail"] != russian["detail"]
    assert [answer["Content-Language"] for answer in answers] == ["en", "ru"]


def test_a_refusal_tells_no_trace_path_sql_or_personal_data(api: BySession, monkeypatch: pytest.MonkeyPatch):
    body = api.new_deal(client_phone=OTHER_PHONE, client_name="Редкоеимя", notes="Тайна", price="0")
    assert not told(api.post("/deals/", body), OTHER_PHONE, "Редкоеимя", "Тайна")
    monkeypatch.setattr("deals.services.listing.list_deals", broken)
    assert not told(api.get("/deals/"), "Traceback", "RuntimeError", "secret", "passwd", "7916", ".py")


def told(response: Any, *secrets: str) -> list[str]:
    """Return what a refusal should not have said."""
    assert response.status_code >= 400
    return [secret for secret in secrets if secret in json.dumps(response.json(), ensure_ascii=False)]


def test_a_persons_pages_and_the_admin_know_no_keys(world: World):
    asks: Browser = program(make_key(world.vera).token)
    assert asks.get("/deals/").status_code == 302
    assert asks.get("/admin/deals/deal/").status_code == 302
