"""Writing safely: versions, tags, keys that make a repeat harmless, and the order in which requests are refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import IdempotencyKey
from deals.models import Client, Deal
from deals.services.hand_over import hand_over_deal
from deals.services.pipeline import move_deal
from deals.tests.making import OTHER_PHONE, by, make_client, make_deal
from deals.tests.programs import CREATED, ROOT, Program, refused

ABSENT = "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"
CHANGES = [  # method, path, body: everything that asks for a version of a deal
    ("PATCH", "/deals/{}", {"price": "1"}),
    ("DELETE", "/deals/{}", None),
    ("POST", "/deals/{}/stage-moves", {"to": "showing"}),
    ("POST", "/deals/{}/stage-moves/undo", None),
]


@pytest.fixture
def api(anna):
    return Program(anna)


# --- If-Match


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_change_without_a_version_is_428(api, anna, method, path, body):
    deal = moved(anna)
    refused(api.send(method, path.format(deal.pk), body), 428, "version_required")
    refused(api.send(method, path.format(deal.pk), body, version="*"), 428, "version_required")


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_change_from_an_old_version_is_412_and_names_what_changed_since(api, anna, method, path, body):
    deal = moved(anna)
    problem = refused(api.send(method, path.format(deal.pk), body, version=1), 412, "stale")
    assert (problem["current_version"], problem["changed_fields"]) == (2, ["stage"])


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("tag", ['"2"', 'W/"2"', '"2.0123456789abcdef"', 'W/"2.0123456789abcdef"', '"1", "2"'])
def test_only_the_version_of_a_tag_counts(api, anna, method, path, body, tag):
    deal = moved(anna)
    body = {"to": "listing"} if body == {"to": "showing"} else body
    codes = (200, 204, 422)
    assert api.send(method, path.format(deal.pk), body, version=tag).status_code in codes


@pytest.mark.parametrize("tag", ['"0"', '"-1"', '"1.x"', '"two"', "2", '"99999999999999999999"', '""'])
def test_a_tag_that_is_none_of_ours_is_412(api, tag):
    deal = api.create()
    api.patch(f"/deals/{deal['id']}", {"price": "1"}, version=1)
    refused(api.patch(f"/deals/{deal['id']}", {"price": "2"}, version=tag), 412, "stale")


def test_hand_over_and_restores_ask_for_a_version_too(anna, boris, vera):
    head, deal, client = Program(vera), make_deal(anna), make_client(anna, OTHER_PHONE)
    hand_over = f"/deals/{deal.pk}/hand-over"
    refused(head.post(hand_over, {"agent": str(boris.pk)}), 428, "version_required")
    refused(head.post(hand_over, {"agent": str(boris.pk)}, version=7), 412, "stale")
    for path in (f"/deals/{deal.pk}", f"/clients/{client.pk}"):
        assert head.delete(path, version=1).status_code == 204
        refused(head.post(f"{path}/restore"), 428, "version_required")
        refused(head.post(f"{path}/restore", version=1), 412, "stale")
        assert head.post(f"{path}/restore", version=2).status_code == 200


def moved(agent: Any) -> Deal:
    deal = make_deal(agent)
    return move_deal(deal.pk, "showing", actor=by(agent), version=1)


# --- ETag


def test_a_tag_is_the_version_and_a_digest_and_saves_a_second_reading(api):
    deal = api.create()
    first = api.get(f"/deals/{deal['id']}")
    tag = first.headers["ETag"]
    assert tag.startswith('"1.')
    again = api.get(f"/deals/{deal['id']}", If_None_Match=tag)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert api.get(f"/deals/{deal['id']}", If_None_Match=f"W/{tag}").status_code == 304
    assert api.get(f"/deals/{deal['id']}", If_None_Match='"1"').status_code == 200
    api.patch(f"/deals/{deal['id']}", {"price": "1"}, version=tag)
    assert api.get(f"/deals/{deal['id']}", If_None_Match=tag).status_code == 200


def test_a_masked_and_an_open_body_of_one_version_have_two_tags(api, vera):
    deal = api.create()
    path = f"/deals/{deal['id']}"
    assert api.get(path).headers["ETag"] != Program(vera).get(path).headers["ETag"]


def test_answers_may_be_kept_by_their_asker_alone_and_asked_about_again(api):
    deal = api.create()
    for path in ("/deals/", f"/deals/{deal['id']}", "/clients/", "/pipelines", "/deals/nothing"):
        response = api.get(path)
        assert response.headers["Cache-Control"] == "private, no-cache"
        varies = {name.strip() for name in response.headers["Vary"].split(",")}
        assert varies >= {"Cookie", "Authorization", "Accept-Language"}


# --- Idempotency-Key


def test_the_same_key_and_body_are_one_deal_and_one_answer(api):
    first = api.post("/deals/", CREATED, key="k1")
    again = api.post("/deals/", CREATED, key="k1")
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert [again.headers[name] for name in ("ETag", "Location")] == [first.headers[n] for n in ("ETag", "Location")]
    assert Deal.objects.count() == 1


def test_the_same_key_with_another_body_is_422(api):
    api.post("/deals/", CREATED, key="k1")
    refused(api.post("/deals/", CREATED | {"price": "2"}, key="k1"), 422, "idempotency_key_reused")
    assert Deal.objects.count() == 1


def test_a_key_belongs_to_one_person_method_and_route(api, boris):
    deal = api.post("/deals/", CREATED, key="k1").json()
    assert Program(boris).post("/deals/", CREATED, key="k1").status_code == 201
    assert api.post("/clients/", {"phones": [OTHER_PHONE]}, key="k1").status_code == 201
    assert api.patch(f"/deals/{deal['id']}", {"price": "1"}, version=1, key="k1").status_code == 200
    other = api.create(client_phone="79031112233")
    refused(api.patch(f"/deals/{other['id']}", {"price": "1"}, version=1, key="k1"), 422, "idempotency_key_reused")


def test_only_success_is_kept_so_a_refused_request_may_be_mended(api):
    refused(api.post("/deals/", CREATED | {"price": "0"}, key="k1"), 422, "invalid")
    assert not IdempotencyKey.objects.exists()
    assert api.post("/deals/", CREATED, key="k1").status_code == 201


def test_a_replay_comes_before_the_version_that_the_first_one_made_old(api):
    path = f"/deals/{api.create()['id']}"
    first = api.patch(path, {"price": "1"}, version=1, key="k1")
    again = api.patch(path, {"price": "1"}, version=1, key="k1")
    assert (again.status_code, again.json(), again.headers["ETag"]) == (200, first.json(), first.headers["ETag"])
    refused(api.patch(path, {"price": "1"}, version=1, key="k2"), 412, "stale")


def test_a_replay_is_for_who_may_still_see_the_deal(api, anna, boris, vera):
    deal = api.post("/deals/", CREATED, key="k1").json()
    hand_over_deal(deal["id"], boris.pk, actor=by(vera), version=1)
    refused(api.post("/deals/", CREATED, key="k1"), 404, "not_found")


def test_a_replay_of_a_deleted_note_does_not_bring_its_text_back(api):
    path = f"/deals/{api.create()['id']}/notes"
    note = api.post(path, {"text": "Тайна"}, key="k1").json()
    api.delete(f"{path}/{note['id']}")
    refused(api.post(path, {"text": "Тайна"}, key="k1"), 404, "not_found")


def test_a_key_is_forgotten_after_a_day(api):
    api.post("/deals/", CREATED, key="k1")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert "Idempotent-Replayed" not in api.post("/deals/", CREATED, key="k1").headers
    assert Deal.objects.count() == 2


@pytest.mark.parametrize(("key", "status"), [("k" * 255, 201), ("k" * 256, 422)])
def test_a_key_has_at_most_255_characters(api, key, status):
    assert api.post("/deals/", CREATED, key=key).status_code == status


def test_the_kept_body_cannot_be_read_in_the_database(api):
    api.post("/deals/", CREATED | {"client_name": "Редкоеимя"}, key="k1")
    (row,) = IdempotencyKey.objects.cells("body", "request_digest", "key_digest")
    assert "Редкоеимя".encode() not in bytes(row[0].token)


def test_ending_other_sessions_may_be_repeated_too(api, anna):
    first, other = api.post("/me/sessions/end-others", key="k1"), Program(anna)
    again = api.post("/me/sessions/end-others", key="k1")
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (204, 204, "true")
    assert other.get("/me").status_code == 200


def test_deleting_and_revealing_take_no_key(api):
    deal = api.create()
    for _ in range(2):
        revealed = api.post(f"/clients/{deal['client']}/reveal", {}, key="k1")
        assert "Idempotent-Replayed" not in revealed.headers
    assert not IdempotencyKey.objects.exists()


# --- the order of refusals


def test_each_refusal_hides_those_that_come_after_it(api, anna, boris, settings):
    deal = make_deal(boris)
    path = f"/deals/{deal.pk}"
    everything_wrong = b"{" + b" " * settings.JSON_BYTES_AT_MOST
    nobody, consentless = Program(), Program(without_consent(anna))
    refused(nobody.send("PATCH", path, everything_wrong), 413, "too_large")
    refused(sent_as_text(nobody, path), 415, "not_json_type")
    refused(nobody.send("PATCH", path, b"{"), 401, "not_authenticated")
    refused(consentless.send("PATCH", path, b"{", X_CSRFToken="wrong"), 403, "csrf_failed")
    refused(consentless.send("PATCH", path, b"{"), 403, "consent_required")
    anna.consent_version = settings_version()
    anna.save_changes("consent_version")
    refused(api.send("PATCH", path + "?x=1", b"{"), 400, "not_json")
    refused(api.send("PATCH", path, b'{"price": 5}'), 422, "invalid", "/price")
    refused(api.send("PATCH", path, b'{"price": "0"}'), 404, "not_found")


def settings_version() -> str:
    from accounts.services.consents import CONSENTS

    return CONSENTS[-1].version


def without_consent(user: Any) -> Any:
    user.consent_version = ""
    user.save_changes("consent_version")
    return user


def sent_as_text(program: Program, path: str) -> Any:
    return program.browser.generic("PATCH", ROOT + path, b"{}", content_type="text/plain")


def test_the_throttle_comes_before_the_body(api, settings):
    settings.LIMITS = settings.LIMITS | {"person": (1, 300)}
    api.get("/deals/")
    response = api.send("POST", "/deals/", b"{")
    refused(response, 429, "too_often")
    assert int(response.headers["Retry-After"]) > 0


def test_shape_is_refused_the_same_whether_or_not_the_row_exists(api, boris):
    deal = make_deal(boris)
    for pk in (deal.pk, ABSENT):
        refused(api.patch(f"/deals/{pk}", {"price": 5}), 422, "invalid", "/price")
        refused(api.post(f"/deals/{pk}/stage-moves", {}), 422, "invalid", "/to")


def test_sight_comes_before_permission_and_permission_before_versions_and_they_before_rules(api, anna, boris, gleb):
    deal = make_deal(anna)
    hand_over = f"/deals/{deal.pk}/hand-over"
    refused(Program(gleb).post(hand_over, {"agent": ABSENT}), 404, "not_found")
    refused(api.post(hand_over, {"agent": ABSENT}), 403, "not_allowed")
    refused(api.patch(f"/deals/{deal.pk}", {"price": "0"}), 428, "version_required")
    refused(api.patch(f"/deals/{deal.pk}", {"price": "0"}, version=9), 412, "stale")
    refused(api.patch(f"/deals/{deal.pk}", {"price": "0"}, version=1), 422, "invalid", "/price")


def test_an_anonymous_post_is_401_and_not_a_question_of_csrf():
    nobody = Program()
    nobody.token = ""
    response = nobody.post("/deals/", CREATED)
    refused(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"]


def test_another_site_cannot_post_with_our_cookies(api):
    refused(api.post("/deals/", CREATED, Sec_Fetch_Site="cross-site"), 403, "cross_site")
    refused(api.post("/deals/", CREATED, Origin="https://evil.example"), 403, "cross_site")
    assert not Client.objects.exists()


pytestmark = pytest.mark.django_db
