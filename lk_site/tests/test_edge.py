import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import Action, Event
from lk_site.logs import JsonFormatter
from lk_site.tests.people import client_of, person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_api")]
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
MEMBERS = {"type", "title", "status", "detail", "code", "instance", "request_id", "errors"}


@pytest.fixture
def anna() -> Any:
    return person("79161234567")


def post(client: Client, address: str, body: Any = None, **kwargs: Any) -> Any:
    return client.post(address, body if body is not None else {"name": "a"}, "application/json", **kwargs)


def names(user: Any) -> str:
    return f"/api/v1/people/{user.pk}/names"


def test_every_refusal_under_the_api_is_a_problem_document(anna: Any):
    client = client_of(anna)
    for response, status, code in [
        (client.get("/api/v1/nothing"), 404, "not_found"),
        (client.get("/api/v2/"), 404, "not_found"),
        (client.get("/api/v1/me/"), 404, "not_found"),
        (client.get(f"/api/v1/people/{uuid4()}"), 404, "not_found"),
        (client.get("/api/v1/people/not-an-id"), 404, "not_found"),
        (client.put("/api/v1/me"), 405, "method_not_allowed"),
        (client.options("/api/v1/me"), 405, "method_not_allowed"),
        (client_of().get("/api/v1/me"), 401, "not_authenticated"),
        (post(client, names(anna), {"name": "clash"}), 409, "clash"),
        (post(client, names(anna), {"name": "foreign"}), 403, "not_allowed"),
        (post(client, names(anna), {"name": "fields"}), 422, "invalid"),
        (post(client, names(anna), {"name": "limit"}), 429, "limit_reached"),
        (post(client, names(anna), {"name": "broken"}), 500, "server_error"),
        (post(client, names(anna), {"name": "database"}), 503, "unavailable"),
        (client.get("/api/v1/me", headers={"Host": "evil.example"}), 400, "bad_request"),
    ]:
        body = response.json()
        assert (response.status_code, body["status"], body["code"]) == (status, status, code)
        assert response["Content-Type"] == "application/problem+json"
        assert set(body) >= MEMBERS
        assert body["title"]
        assert body["detail"]
        assert body["request_id"] == response["X-Request-ID"]
        assert "secret" not in response.content.decode()


def test_what_an_error_says_beside_the_document_is_kept(anna: Any):
    client = client_of(anna)
    assert client.put("/api/v1/me")["Allow"] == "GET"
    assert client_of().get("/api/v1/me")["WWW-Authenticate"]
    assert post(client, names(anna), {"name": "limit"})["Retry-After"] == "7"
    assert post(client, names(anna), {"name": "database"})["Retry-After"] == "5"


def test_absent_and_foreign_look_the_same(anna: Any):
    gleb = person("79160000001")
    client = client_of(anna)
    absent, foreign = (client.get(f"/api/v1/people/{pk}").json() for pk in (uuid4(), gleb.pk))
    for body in (absent, foreign):
        del body["instance"], body["request_id"]
    assert absent == foreign


@pytest.mark.parametrize(
    "address", ["/api/v1/me", "/api/v1/nothing", "/deals/", "/broken/", "/login/", "/nothing", "/api/v1/docs"]
)
def test_every_response_carries_the_security_headers(anna: Any, address: str):
    for client in (client_of(anna), client_of()):
        response = client.get(address)
        assert {name: response[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert response["Permissions-Policy"]
        assert response["X-Request-ID"]


def test_pages_are_not_stored_and_data_is_private(anna: Any):
    client = client_of(anna)
    assert client.get("/deals/")["Cache-Control"] == "no-store"
    response = client.get("/api/v1/me")
    assert response["Cache-Control"] == "private, no-cache"
    assert response["Vary"] == "Cookie, Authorization, Accept-Language"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_transport_security_is_said_under_tls_only(anna: Any, settings: Any):
    settings.SECURE_HSTS_SECONDS = 60
    client = client_of(anna)
    assert "Strict-Transport-Security" not in client.get("/deals/")
    assert client.get("/deals/", secure=True)["Strict-Transport-Security"].startswith("max-age=60")


def test_a_body_too_large_is_413_before_anything_else(anna: Any):
    large = json.dumps({"name": "x" * 262_144})
    for client in (client_of(), client_of(anna)):
        response = post(client, names(anna), large)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert client_of().post("/login/", {"text": "x" * 1_048_577}).status_code == 413
    assert client_of().post("/login/", {"text": "x" * 262_144}).status_code == 200


def test_a_body_of_unknown_length_is_411(anna: Any):
    client = client_of(anna)
    response = client.generic("POST", names(anna), HTTP_TRANSFER_ENCODING="chunked")
    assert (response.status_code, response.json()["code"]) == (411, "length_required")


def test_the_order_of_refusals(anna: Any, settings: Any):
    settings.LIMITS = {**settings.LIMITS, "person": (8, 300)}
    newcomer = person("79160000002", consent="")
    strict = Client(enforce_csrf_checks=True, headers={"X-Asker": str(newcomer.pk), "Accept-Language": "en"})
    stranger = Client(enforce_csrf_checks=True)
    address = f"/api/v1/people/{uuid4()}/names"
    assert stranger.post(address, "a", "text/plain").status_code == 415
    assert post(stranger, address).json()["code"] == "not_authenticated"
    assert post(strict, address, "{", headers={"Sec-Fetch-Site": "cross-site"}).json()["code"] == "cross_site"
    assert post(strict, address, "{").json()["code"] == "csrf_failed"
    lax = client_of(newcomer)
    assert post(lax, address, "{").json()["code"] == "consent_required"
    client = client_of(anna)
    key = {"Idempotency-Key": "order"}
    assert post(client, address, "{", headers=key).json()["code"] == "not_json"
    assert post(client, address, {"colour": 1}, headers=key).json()["code"] == "invalid"
    assert post(client, names(anna), headers=key).status_code == 201
    assert post(client, names(anna), {"colour": 1}, headers=key).json()["code"] == "invalid"
    assert post(client, names(anna), {"name": "b"}, headers=key).json()["code"] == "idempotency_key_reused"
    assert post(client, address, headers={"Idempotency-Key": "other"}).json()["code"] == "not_found"
    assert client.patch(f"/api/v1/people/{uuid4()}", {"name": "b"}, "application/json").json()["code"] == "not_found"
    edited = client.patch(f"/api/v1/people/{anna.pk}", {"name": "b"}, "application/json")
    assert edited.json()["code"] == "version_required"
    assert post(client, names(anna), "{").json()["code"] == "too_often"


def test_the_line_of_a_request_names_its_route_and_no_person(anna: Any, caplog: Any):
    with caplog.at_level(logging.INFO):
        client_of(anna).get(f"/api/v1/people/{anna.pk}?phone=79161234567\r\n{{}}")
        client_of(anna).get("/79161234567/")
        post(client_of(anna), names(anna), {"name": "broken"})
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert not any("79161234567" in line or "secret" in line or "\n" in line for line in lines)
    first = json.loads(lines[0])
    assert first["route"] == "api/v1/people/<uuidstr:user_id>"
    assert first["status"] == 422
    assert first["request_id"]


def test_a_line_break_stays_inside_its_line():
    record = logging.makeLogRecord({"name": "lk.x", "msg": "a\nb\r{}", "levelname": "INFO"})
    assert "\n" not in JsonFormatter().format(record)


def test_an_exception_is_logged_by_kind_and_place_without_its_message():
    try:
        raise ValueError("secret of a person")
    except ValueError as error:
        record = logging.makeLogRecord({"name": "django.request", "msg": "%s", "args": ("/x",)})
        record.exc_info = (type(error), error, error.__traceback__)
    line = JsonFormatter().format(record)
    assert "builtins.ValueError" in line
    assert "test_edge.py" in line
    assert "secret" not in line


def test_a_page_without_a_database_is_503(anna: Any):
    response = client_of(anna).get("/broken/?database=1")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert client_of(anna).get("/broken/").status_code == 500


class TestLogin:
    def test_a_page_leads_to_login_and_back(self):
        response = client_of().get("/deals/?status=open")
        assert (response.status_code, response["Location"]) == (302, "/login/?next=/deals/%3Fstatus%3Dopen")

    def test_a_form_leads_back_to_the_page_it_stood_on(self):
        client = client_of()
        response = client.post("/deals/search/", headers={"Referer": "http://testserver/deals/?status=open"})
        assert response["Location"] == "/login/?next=/deals/%3Fstatus%3Dopen"
        response = client.post("/deals/search/", headers={"Referer": "http://evil.example/deals/"})
        assert response["Location"] == "/login/?next=/deals/"

    def test_a_fragment_gets_401_and_moves_the_whole_page(self):
        fragment = {"HX-Request": "true", "HX-Current-URL": "http://testserver/deals/"}
        response = client_of().get("/deals/", headers=fragment)
        assert (response.status_code, response["HX-Redirect"]) == (401, "/login/?next=/deals/")

    def test_public_operations_are_public(self):
        assert post(client_of(), "/api/v1/auth/knock", {}).status_code == 202
        assert client_of().get("/api/v1/openapi.json").status_code == 200


class TestOtherSites:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "https://testserver"},
        ],
    )
    @pytest.mark.parametrize("address", ["/deals/search/", "/api/v1/auth/knock"])
    def test_may_change_nothing(self, anna: Any, headers: dict[str, str], address: str):
        assert post(client_of(anna), address, headers=headers).status_code == 403

    def test_may_link_to_us(self, anna: Any):
        assert client_of(anna).get("/deals/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200

    def test_our_own_pages_may(self, anna: Any):
        same = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}
        assert client_of(anna).post("/deals/search/", headers=same).status_code == 200

    def test_csrf_is_checked_but_where_an_operation_says_otherwise(self, anna: Any):
        strict = Client(enforce_csrf_checks=True, headers={"X-Asker": str(anna.pk)})
        assert post(strict, names(anna)).json()["code"] == "csrf_failed"
        assert post(strict, "/api/v1/auth/knock", {}).status_code == 202
        strict.cookies["lk-csrf"] = token = "a" * 32
        assert post(strict, names(anna), headers={"X-CSRFToken": token}).status_code == 201


class TestConsent:
    def test_nothing_but_its_own_goes_before_the_first(self):
        newcomer = client_of(person("79160000002", consent=""))
        assert newcomer.get("/api/v1/me").status_code == 200
        assert newcomer.get("/api/v1/openapi.json").status_code == 200
        refused = newcomer.get("/api/v1/agencies/")
        assert (refused.status_code, refused.json()["code"]) == (403, "consent_required")
        assert newcomer.get("/deals/")["Location"] == "/welcome/"
        assert newcomer.get("/welcome/").status_code == 200


class TestRefusalRecord:
    def test_an_object_refused_leaves_evidence_once(self, anna: Any, monkeypatch: Any):
        monkeypatch.setattr("lk_site.middleware.gates.REFUSABLE", ("user_id",))
        gleb = person("79160000001")
        for _ in range(2):
            client_of(anna).get(f"/api/v1/people/{gleb.pk}")
        (event,) = Event.objects.filter(action=Action.ACCESS_REFUSED)
        assert (event.actor_id, event.object_id) == (anna.pk, gleb.pk)

    def test_nobody_leaves_none(self, monkeypatch: Any):
        monkeypatch.setattr("lk_site.middleware.gates.REFUSABLE", ("user_id",))
        client_of().get(f"/api/v1/people/{uuid4()}")
        assert not Event.objects.filter(action=Action.ACCESS_REFUSED).exists()
