import json
from typing import Any

import jsonschema_rs
import pytest
from django.conf import settings
from django.core.management import call_command

from lk_site.api import api as product
from lk_site.api import operations
from lk_site.api_docs import document
from lk_site.tests.people import client_of
from lk_site.tests.small_api import api

SCHEMA = json.loads(document(api))
PERSON = SCHEMA["paths"]["/api/v1/people/{user_id}"]


def codes(details: dict[str, Any], status: str) -> set[str]:
    return set(details["responses"][status]["content"]["application/problem+json"]["examples"])


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
    assert codes(PERSON["patch"], "403") == {"csrf_failed", "cross_site", "consent_required"}
    assert {"400", "401", "404", "411", "413", "415", "429", "500", "503"} <= set(PERSON["patch"]["responses"])
    assert codes(PERSON["get"], "403") == {"consent_required"}
    assert "412" not in PERSON["get"]["responses"]


def test_public_operations_need_no_session():
    knock = SCHEMA["paths"]["/api/v1/auth/knock"]["post"]
    assert "401" not in knock["responses"]
    assert "security" not in knock
    assert codes(knock, "403") == {"cross_site"}
    assert PERSON["get"]["security"] == [{"session": []}]


def test_headers_are_declared():
    names = {parameter["name"] for parameter in PERSON["patch"]["parameters"]}
    assert {"If-Match", "Idempotency-Key"} <= names
    assert set(PERSON["patch"]["responses"]["200"]["headers"]) == {"ETag", "Idempotent-Replayed"}
    assert "304" in PERSON["get"]["responses"]


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
        assert "<script" not in page
        assert "style=" not in page
        assert "default-src 'none'" in response["Content-Security-Policy"]


def test_the_command_writes_the_document(tmp_path: Any, settings: Any):
    settings.BASE_DIR = tmp_path
    call_command("write_openapi")
    assert (tmp_path / "openapi.json").read_text(encoding="utf-8") == document(product)


PRODUCT = json.loads(document(product))
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
