"""What the API says where no operation is reached, and what stands around every answer."""

import pytest
from django.conf import settings as django_settings

from deals.models import Deal
from deals.tests.making import make_deal
from deals.tests.programs import CREATED, ROOT, Program, refused

PROBLEM = {"type", "title", "status", "detail", "code", "instance", "request_id", "errors"}
EXACT = ["/deals/", "/clients/", "/pipelines", "/agents", "/me", "/me/sessions"]


@pytest.fixture
def api(anna):
    return Program(anna)


@pytest.mark.parametrize("path", EXACT)
def test_a_slash_more_or_less_is_another_address(api, path):
    assert api.get(path).status_code == 200
    refused(api.get(path[:-1] if path.endswith("/") else f"{path}/"), 404, "not_found")


def test_a_deal_has_no_slash_and_one_spelling_of_its_id(api):
    deal = api.create()
    assert api.get(f"/deals/{deal['id']}").status_code == 200
    refused(api.get(f"/deals/{deal['id']}/"), 404, "not_found")
    refused(api.get(f"/deals/{deal['id'].upper()}"), 404, "not_found")
    refused(api.get("/deals/1"), 404, "not_found")


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/deals/new/", "/../admin/", "/deals//"])
def test_an_unknown_route_is_a_problem_document(api, path):
    problem = refused(api.get(path), 404, "not_found")
    assert set(problem) == PROBLEM
    assert problem["instance"].startswith("/api/v1")


def test_another_method_is_405_and_says_which_ones_there_are(api):
    response = api.send("PUT", "/deals/", CREATED)
    refused(response, 405, "method_not_allowed")
    assert {method.strip() for method in response.headers["Allow"].split(",")} >= {"GET", "POST"}


def test_a_body_is_json_and_not_too_large(api):
    text = api.browser.post(f"{ROOT}/deals/", CREATED, headers={"X-CSRFToken": api.token})
    refused(text, 415, "not_json_type")
    refused(api.send("POST", "/deals/", b" " * (django_settings.JSON_BYTES_AT_MOST + 1)), 413, "too_large")
    refused(api.send("POST", "/deals/", b"{"), 400, "not_json")
    refused(api.send("POST", "/deals/", b'{"price": "1", "price": "2"}'), 422, "invalid", "/price")
    refused(api.send("POST", "/deals/", b"[" * 10_000), 422, "invalid")
    assert not Deal.objects.exists()


def test_csrf_is_asked_for_with_a_session(api):
    refused(api.post("/deals/", CREATED, X_CSRFToken="x" * 32), 403, "csrf_failed")
    api.token = ""
    refused(api.post("/deals/", CREATED), 403, "csrf_failed")


def test_a_bearer_is_never_taken_for_the_cookie_beside_it(api):
    response = api.get("/deals/", Authorization="Bearer lk_live_x")
    refused(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/deals/", "/clients/", "/pipelines", "/agents", "/me"])
def test_nobody_sees_anything(db, path):
    refused(Program().get(path), 401, "not_authenticated")


def test_every_answer_says_what_is_left_of_the_limits(api):
    for response in (api.get("/deals/"), api.get("/deals/nothing"), api.post("/deals/", {}), Program().get("/deals/")):
        assert response.headers["RateLimit-Policy"].startswith(('"person";q=1500;w=300', '"anonymous";q=300;w=300'))
        assert ";r=" in response.headers["RateLimit"]
        assert response.headers["X-Request-ID"]
    search = api.get("/deals/", {"q": "тула"})
    assert '"search";q=30;w=60' in search.headers["RateLimit-Policy"]


def test_refusals_speak_the_language_asked_for_and_their_codes_do_not(anna):
    russian, english = Program(anna, "ru").get("/deals/x"), Program(anna, "en").get("/deals/x")
    assert english.json()["title"] == "Not found"
    assert russian.json()["code"] == english.json()["code"]
    assert (russian.headers["Content-Language"], english.headers["Content-Language"]) == ("ru", "en")


def test_the_persons_own_language_comes_first(anna):
    anna.language = "en"
    anna.save_changes("language")
    deal = make_deal(anna)
    assert Program(anna, "ru").get(f"/deals/{deal.pk}").json()["stage"]["name"] == "New"


def test_a_problem_tells_no_personal_data(api, anna):
    make_deal(anna, client_name="Редкоеимя")
    response = api.post("/deals/", CREATED | {"client_name": "Другоеимя", "price": "0", "notes": "Тайна"})
    text = response.content.decode()
    assert response.status_code == 422
    assert not any(secret in text for secret in ("Редкоеимя", "Другоеимя", "Тайна", "79161234567"))


def test_answers_are_for_programs_only(api):
    response = api.get("/deals/")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in response.headers
