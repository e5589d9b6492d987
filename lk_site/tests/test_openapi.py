import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from django.conf import settings
from django.core.management import call_command

from accounts.models import Event
from accounts.services.webhook_delivery import payload_of
from accounts.tests.programs import program
from accounts.webhook_wire import Message, new_secret, signed_headers
from lk_site.api import api as product
from lk_site.api import operations
from lk_site.api_docs import document
from lk_site.openapi_parts import EVERYWHERE, OF_REFUSALS
from lk_site.tests.people import client_of
from lk_site.tests.small_api import api

SCHEMA = json.loads(document(api))
PRODUCT = json.loads(document(product))
PERSON = SCHEMA["paths"]["/api/v1/people/{user_id}"]


def codes(details: dict[str, Any], status: str) -> set[str]:
    return set(details["responses"][status]["content"]["application/problem+json"]["examples"])


def each_operation(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [details for methods in schema["paths"].values() for details in methods.values()]


def answers(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    for details in each_operation(schema):
        for status, response in details["responses"].items():
            yield details, status, response


def test_the_committed_document_is_what_the_api_says_of_itself():
    committed = settings.BASE_DIR / "openapi.json"
    assert committed.exists(), "run: python manage.py write_openapi"
    assert committed.read_text(encoding="utf-8") == document(product), "run: python manage.py write_openapi"


def test_operations_have_names_of_their_own():
    names = [operation.view_func.__name__ for operation in operations(product)]
    assert len(names) == len(set(names))


def test_every_refusal_is_declared():
    assert codes(PERSON["patch"], "412") == {"stale"}
    assert codes(PERSON["patch"], "428") == {"version_required"}
    assert codes(PERSON["patch"], "409") == {"idempotency_key_in_progress"}
    assert codes(PERSON["patch"], "422") == {"invalid", "idempotency_key_reused", "idempotency_key_invalid"}
    by_keys = {"not_for_keys", "network_refused"}
    assert codes(PERSON["patch"], "403") == {"csrf_failed", "cross_site", "consent_required", *by_keys}
    assert {"400", "401", "404", "411", "413", "415", "429", "500", "503"} <= set(PERSON["patch"]["responses"])
    assert codes(PERSON["get"], "403") == {"consent_required", *by_keys}
    assert "412" not in PERSON["get"]["responses"]


def test_public_operations_need_no_session():
    knock = SCHEMA["paths"]["/api/v1/auth/knock"]["post"]
    assert "401" not in knock["responses"]
    assert "security" not in knock
    assert codes(knock, "403") == {"cross_site", "network_refused", "not_for_keys"}
    assert PERSON["get"]["security"] == [{"session": []}]


def test_headers_are_declared():
    names = {parameter["name"] for parameter in PERSON["patch"]["parameters"]}
    assert {"If-Match", "Idempotency-Key"} <= names
    own = {"ETag", "Idempotent-Replayed"}
    assert set(PERSON["patch"]["responses"]["200"]["headers"]) == {*own, *EVERYWHERE}
    assert "304" in PERSON["get"]["responses"]


def test_every_answer_says_who_may_ask_how_often_and_by_which_id_it_is_found():
    for details, status, response in answers(PRODUCT):
        assert set(EVERYWHERE) <= set(response["headers"]), (details["operationId"], status)
    for status, name in OF_REFUSALS.items():
        assert all(name in response["headers"] for _, found, response in answers(PRODUCT) if found == status)


def test_what_is_answered_carries_the_headers_that_are_declared(by_key: Any):
    made = by_key.post("/deals/", by_key.new_deal())
    by_key.create()
    for address, method, response in [
        ("/api/v1/deals/", "post", made),
        ("/api/v1/deals/", "get", by_key.get("/deals/?limit=1")),
        ("/api/v1/deals/{deal_id}", "get", by_key.get(f"/deals/{made.json()['id']}")),
        ("/api/v1/deals/{deal_id}", "patch", by_key.patch(f"/deals/{made.json()['id']}", {})),
        ("/api/v1/key", "get", program("lk_live_wrong").get("/api/v1/key")),
    ]:
        declared = PRODUCT["paths"][address][method]["responses"][str(response.status_code)]["headers"]
        assert {name for name in declared if name not in response} <= {"Idempotent-Replayed"}, (method, address)


def test_each_operation_says_who_may_call_it_and_with_which_scopes():
    for operation in operations(product):
        function = operation.view_func
        details = next(found for found in each_operation(PRODUCT) if found["operationId"] == function.__name__)
        scopes = [str(scope) for scope in getattr(function, "scopes", ())]
        if getattr(function, "is_public", False):
            assert "security" not in details
            assert "For anybody." in details["description"]
            continue
        assert details["security"] == [{"session": []}, *({"key": [scope]} for scope in scopes)]
        assert details.get("x-scopes", []) == scopes
        assert all(f"`{scope}`" in details["description"] for scope in scopes)
        assert ("scope_missing" in codes(details, "403")) == bool(scopes)
        assert ("not_for_keys" in codes(details, "403")) != bool(scopes)


def test_both_ways_in_are_declared():
    schemes = PRODUCT["components"]["securitySchemes"]
    assert schemes["session"]["in"] == "cookie"
    assert (schemes["key"]["type"], schemes["key"]["scheme"]) == ("http", "bearer")


def test_every_operation_shows_a_request_an_answer_and_a_refusal():
    for details in each_operation(PRODUCT):
        told = [details["requestBody"]] if "requestBody" in details else []
        told += [response for status, response in details["responses"].items() if status < "300"]
        assert len(told) > ("requestBody" in details), details["operationId"]
        shown = [content for part in told for content in part.get("content", {}).values()]
        assert all("example" in content for content in shown), details["operationId"]
        refused = [response for status, response in details["responses"].items() if status >= "400"]
        assert refused, details["operationId"]
        assert all(response["content"]["application/problem+json"]["examples"] for response in refused)


def test_webhooks_are_declared_as_they_are_sent(world: Any):
    event = Event.objects.filter(action="deal.created").first()
    assert event is not None
    schema = {"$ref": "#/components/schemas/WebhookEvent", "components": PRODUCT["components"]}
    jsonschema_rs.validate(schema, json.loads(payload_of(event)))
    sent = PRODUCT["webhooks"]["event"]["post"]
    jsonschema_rs.validate(schema, sent["requestBody"]["content"]["application/json"]["example"])
    message = Message("https://example.ru", "msg_1", payload_of(event), (new_secret(),))
    assert {parameter["name"] for parameter in sent["parameters"]} == set(signed_headers(message, event.at))


def test_parameters_say_what_openapi_understands():
    for details in each_operation(PRODUCT):
        for parameter in details["parameters"]:
            assert not isinstance(parameter.get("examples"), list), "a map, or one `example`"
            assert parameter["schema"].get("default") != "", "a made client would send it"


def test_a_problem_document_fits_its_schema():
    problem = SCHEMA["components"]["schemas"]["Problem"]
    for example in SCHEMA["components"]["examples"].values():
        jsonschema_rs.validate(problem, example["value"])


@pytest.mark.django_db
@pytest.mark.usefixtures("small_api")
class TestServed:
    def test_anybody_may_read_the_document(self):
        response = client_of().get("/api/v1/openapi.json")
        assert response["Content-Type"] == "application/json"
        assert response.json() == SCHEMA
        assert response.json()["openapi"].startswith("3.1")

    def test_the_page_shows_every_operation_and_refusal_without_scripts(self):
        response = client_of().get("/api/v1/docs")
        page = response.content.decode()
        for methods in SCHEMA["paths"].values():
            for details in methods.values():
                assert f'id="{details["operationId"]}"' in page
        assert 'id="stale"' in page
        (script,) = re.findall("<script.*", page)
        assert re.fullmatch(r'<script src="/static/js/api_try(\.\w+)?\.js" defer></script>', script)
        assert "style=" not in page
        assert "default-src 'none'" in response["Content-Security-Policy"]


def test_the_command_writes_the_document(tmp_path: Any, settings: Any):
    settings.BASE_DIR = tmp_path
    call_command("write_openapi")
    assert (tmp_path / "openapi.json").read_text(encoding="utf-8") == document(product)


BODIES = [
    (f"{method.upper()} {address} {status}", content)
    for address, methods in PRODUCT["paths"].items()
    for method, details in methods.items()
    for status, told in [("body", details.get("requestBody", {})), *details["responses"].items()]
    if (content := told.get("content", {}).get("application/json"))
]


@pytest.mark.parametrize(("told", "content"), BODIES, ids=[told for told, _content in BODIES])
def test_every_request_and_answer_has_an_example_that_fits_its_schema(told: str, content: dict[str, Any]):
    schemas = {"components": PRODUCT["components"]}
    jsonschema_rs.validate({**content["schema"], **schemas}, content["example"])
    assert "…" not in str(content["example"]).replace(") …", "")


def test_every_declared_refusal_has_an_example():
    examples = PRODUCT["components"]["examples"]
    for methods in PRODUCT["paths"].values():
        for details in methods.values():
            for status, response in details["responses"].items():
                if status >= "400":
                    assert codes(details, status) <= set(examples)
                    assert response["content"]["application/problem+json"]["examples"]
