"""`api.md`, "Routes of the foundation": login, one's own profile, people, pipelines, the document and its page."""

import json
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Browser

from accounts.models import Session, User
from accounts.services import consents
from accounts.services.consents import CONSENTS, PERSONAL_DATA, ConsentText
from accounts.tests.clock import clock
from accounts.tests.logging_in import ask_for_code, give_code, other_than, sent_code
from deals.tests.programs import Program, refused
from lk_site.tests.askers import BySession
from lk_site.tests.walking import World

__all__ = ["clock"]

NEWEST = CONSENTS[-1]
FOR_THE_NEWCOMER = ("/me", "/me/sessions", "/openapi.json", "/docs")
SECOND = ConsentText(PERSONAL_DATA, "2", published_on=date(2026, 11, 2), blocks_from=date(2026, 11, 3))


@pytest.fixture
def visitor(world: World) -> Browser:
    return Browser(enforce_csrf_checks=True, raise_request_exception=False)


def phone_of(user: User) -> str:
    return user.phone or ""


# --- login


def test_send_code_answers_202_without_a_csrf_token_and_sets_both_cookies(visitor: Browser):
    response = ask_for_code(visitor, "79161112233")
    assert (response.status_code, response.json()) == (202, {"resend_after_s": 60})
    assert {settings.CSRF_COOKIE_NAME, settings.CHALLENGE_COOKIE_NAME} <= set(response.cookies)


def test_verify_code_opens_a_session(visitor: Browser, world: World):
    ask_for_code(visitor, phone_of(world.anna))
    response = give_code(visitor, phone_of(world.anna), sent_code(phone_of(world.anna)))
    assert (response.status_code, response.json()["user"]["id"]) == (200, str(world.anna.pk))
    assert visitor.get("/api/v1/me").status_code == 200


def test_verify_code_needs_the_csrf_token(visitor: Browser, world: World):
    ask_for_code(visitor, phone_of(world.anna))
    response = give_code(visitor, phone_of(world.anna), sent_code(phone_of(world.anna)), **{"X-CSRFToken": ""})
    refused(response, 403, "csrf_failed")


def test_refused_codes_have_one_body(visitor: Browser, world: World, clock: Any):
    """Wrong, used, expired, sent to somebody else, and none at all."""
    phone, foreign = phone_of(world.anna), phone_of(world.boris)
    answers = [give_with_token(visitor, phone, "123456")]
    ask_for_code(visitor, phone)
    code = sent_code(phone)
    answers += [give_code(visitor, phone, other_than(code)), give_code(visitor, foreign, code)]
    assert give_code(visitor, phone, code).status_code == 200
    answers.append(give_code(visitor, phone, code))
    clock.forward(minutes=2)
    ask_for_code(visitor, phone)
    late = sent_code(phone)
    clock.forward(minutes=6)
    answers.append(give_code(visitor, phone, late))
    assert len({json.dumps(refused(answer, 400, "code_refused") | {"request_id": ""}) for answer in answers}) == 1


def give_with_token(visitor: Browser, phone: str, code: str) -> Any:
    visitor.cookies[settings.CSRF_COOKIE_NAME] = Program().token
    return give_code(visitor, phone, code)


def test_a_code_that_is_not_six_digits_is_422(visitor: Browser, world: World):
    ask_for_code(visitor, phone_of(world.anna))
    for wrong in ("12345", "1234567", "abcdef", ""):
        refused(give_code(visitor, phone_of(world.anna), wrong), 422, "invalid", "/code")


def test_logout_ends_the_session(by_session: BySession):
    assert by_session.post("/auth/logout").status_code == 204
    refused(by_session.get("/me"), 401, "not_authenticated")


# --- oneself


def test_me_tells_who_asks_and_may_be_changed(by_session: BySession, world: World):
    me = by_session.get("/me").json()
    assert set(me) == {
        *("id", "phone_masked", "name", "role", "agency", "language", "time_zone", "theme", "consents_due")
    }
    assert (me["id"], me["agency"]["name"], me["role"]) == (str(world.anna.pk), "Ключи и двери", "agent")
    assert phone_of(world.anna) not in json.dumps(me)
    assert by_session.patch("/me", {"theme": "dark"}).json() == me | {"theme": "dark"}


@pytest.fixture
def newcomer(world: World) -> Program:
    world.boris.consent_version = ""
    world.boris.save_changes("consent_version")
    return Program(world.boris)


def test_until_the_first_consent_every_route_is_403_but_a_few(newcomer: Program):
    for path in ("/deals/", "/clients/", "/pipelines", "/agents", "/changes", "/keys"):
        refused(newcomer.get(path), 403, "consent_required")
    refused(newcomer.post("/deals/", {}), 403, "consent_required")
    assert {newcomer.get(path).status_code for path in FOR_THE_NEWCOMER} == {200}


def test_giving_the_consent_is_201_and_opens_the_rest(newcomer: Program):
    due = newcomer.get("/me").json()["consents_due"]
    assert [(text["document"], text["version"]) for text in due] == [(NEWEST.document, NEWEST.version)]
    given = newcomer.post("/me/consents", {name: due[0][name] for name in ("document", "version")})
    assert given.status_code == 201
    assert newcomer.get("/deals/").status_code == 200
    assert newcomer.get("/me").json()["consents_due"] == []


def test_a_newer_consent_blocks_only_from_its_own_date_and_never_a_post(
    by_session: BySession, monkeypatch: pytest.MonkeyPatch
):
    for blocks_from, status in ((date(2999, 1, 1), 200), (SECOND.blocks_from, 403)):
        newer = ConsentText(SECOND.document, SECOND.version, SECOND.published_on, blocks_from)
        monkeypatch.setattr(consents, "CONSENTS", (*CONSENTS, newer))
        assert by_session.get("/deals/").status_code == status
        assert by_session.post("/deals/", by_session.new_deal()).status_code == 201


def test_devices_are_listed_and_ended(by_session: BySession, world: World):
    phone, tablet = Program(world.anna), Program(world.anna)
    rows = by_session.get("/me/sessions").json()["items"]
    (own,) = [row for row in rows if row["is_current"]]
    other = phone.get("/me/sessions").json()["items"]
    (lost,) = [row["id"] for row in other if row["is_current"]]
    assert by_session.delete(f"/me/sessions/{lost}").status_code == 204
    assert (phone.get("/me").status_code, tablet.get("/me").status_code) == (401, 200)
    assert by_session.post("/me/sessions/end-others").status_code == 204
    assert tablet.get("/me").status_code == 401
    assert [row["id"] for row in by_session.get("/me/sessions").json()["items"]] == [own["id"]]
    assert Session.objects.filter(user=world.anna, ended_at=None).count() == 1


def test_what_is_a_persons_own_is_not_for_keys(by_key: BySession):
    for path in ("/me", "/me/sessions", "/keys"):
        refused(by_key.get(path), 403, "not_for_keys")
    refused(by_key.post("/auth/logout"), 403, "not_for_keys")
    refused(by_key.post("/me/consents", {}), 403, "not_for_keys")


# --- people, pipelines, the document


def test_agents_of_the_own_agency_are_listed(api: BySession, world: World):
    found = api.get("/agents").json()["items"]
    assert {row["id"] for row in found} == {str(user.pk) for user in (world.anna, world.vera, world.boris)}
    (vera,) = [row for row in found if row["id"] == str(world.vera.pk)]
    assert vera == {"id": str(world.vera.pk), "name": "Вера Власова", "role": "head", "active": True}


def test_codes_are_unique_within_a_pipeline(api: BySession):
    pipelines = api.get("/pipelines").json()
    assert {pipeline["kind"] for pipeline in pipelines["items"]} == {"sale", "purchase", "let", "rent"}
    for pipeline in pipelines["items"]:
        codes = [stage["code"] for stage in pipeline["stages"]]
        assert len(codes) == len(set(codes)) > 0
    assert "other" in {reason["code"] for reason in pipelines["lost_reasons"]}


def test_the_document_is_openapi_3_1(api: BySession):
    assert api.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_the_page_to_read_it_is_served_without_any_cdn(api: BySession):
    page = api.get("/docs")
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    foreign = [part for part in page.content.decode().split('"') if part.startswith(("http://", "https://", "//"))]
    assert foreign == []
    assert "https:" not in page["Content-Security-Policy"]


def test_the_document_and_its_page_are_for_everybody(visitor: Browser):
    for path in ("/openapi.json", "/docs"):
        assert visitor.get(f"/api/v1{path}").status_code == 200
