from typing import Any

import pytest
from django.test import RequestFactory

from lk_site.etags import if_match
from lk_site.tests.people import client_of, person


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, None),
        ("", None),
        ("*", None),
        ('"7"', 7),
        ('W/"7"', 7),
        ('"7.0123456789abcdef"', 7),
        ('W/"7.0123456789abcdef"', 7),
        ('"3.ab", "5.cd"', 5),
        ("7", 0),
        ('"seven"', 0),
        ('"07"', 0),
        ('"99999999999999999999"', 0),
        ("rubbish", 0),
    ],
)
def test_if_match_names_a_version(header: str | None, version: int | None):
    headers = {} if header is None else {"If-Match": header}
    assert if_match(RequestFactory().get("/", headers=headers)) == version


@pytest.mark.django_db
@pytest.mark.usefixtures("small_api")
class TestOverHttp:
    def test_a_known_version_is_304(self):
        anna = person("79161234567")
        client, address = client_of(anna), f"/api/v1/people/{anna.pk}"
        tag = client.get(address)["ETag"]
        assert tag.startswith('"1.')
        for header in (tag, f"W/{tag}", f'"0.x", {tag}', "*"):
            response = client.get(address, headers={"If-None-Match": header})
            assert (response.status_code, response.content, response["ETag"]) == (304, b"", tag)
        assert client.get(address, headers={"If-None-Match": '"1"'}).status_code == 200

    def test_changes_name_the_version_they_were_made_from(self):
        anna = person("79161234567")

        def patch(**headers: Any) -> Any:
            address = f"/api/v1/people/{anna.pk}"
            return client_of(anna).patch(address, {"name": "a"}, "application/json", headers=headers)

        assert patch().json()["code"] == "version_required"
        assert patch(**{"If-Match": "*"}).status_code == 428
        stale = patch(**{"If-Match": '"9"'})
        assert (stale.status_code, stale.json()["current_version"]) == (412, 1)
        assert patch(**{"If-Match": "rubbish"}).status_code == 412
        changed = patch(**{"If-Match": 'W/"1.anything"'})
        assert changed.status_code == 200
        assert changed["ETag"].startswith('"2.')

    def test_delete_answers_the_new_tag_and_no_body(self):
        anna = person("79161234567")
        response = client_of(anna).delete(f"/api/v1/people/{anna.pk}")
        assert (response.status_code, response.content) == (204, b"")
        assert response["ETag"].startswith('"2.')
        assert "Content-Type" not in response
