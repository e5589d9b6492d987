"""`api.md`, "Writing safely" and "Limits": one test a rule, asked by a session and, where keys may, by a key."""

import json
import re
from datetime import timedelta
from typing import Any

from accounts.models import Event, IdempotencyKey
from accounts.tests.clock import clock
from accounts.tests.programs import make_key
from deals.models import Deal
from deals.tests.browsing import new_deal_form, version_on
from deals.tests.making import OTHER_PHONE
from deals.tests.programs import ROOT, Program, refused
from lk_site.api import api as product
from lk_site.api_docs import document
from lk_site.tests.askers import ByKey, BySession
from lk_site.tests.walking import World

__all__ = ["clock"]

ETAG = re.compile(r'"(\d+)\.[0-9a-f]+"')
UNREPEATABLE = {  # POST and PATCH without an Idempotency-Key
    *("/auth/send-code", "/auth/verify-code", "/auth/verify-second-factor", "/auth/logout"),
    *("/auth/step-up", "/auth/step-up/verify", "/auth/step-up/passkey/begin", "/auth/step-up/passkey"),
    *("/auth/passkey/begin", "/auth/passkey"),
    "/clients/{client_id}/reveal",
    "/audit/export",
}


# --- Idempotency-Key


def test_an_idempotency_key_is_taken_on_post_and_patch_but_on_auth_and_reveal():
    without = {
        path.removeprefix(ROOT)
        for path, methods in json.loads(document(product))["paths"].items()
        for method, details in methods.items()
        if method in ("post", "patch") and "Idempotency-Key" not in [told["name"] for told in details["parameters"]]
    }
    assert without == UNREPEATABLE


def test_the_same_key_and_body_replay_status_and_body_and_say_so(api: BySession):
    deals = Deal.objects.count()
    first, again = (api.post("/deals/", api.new_deal(), key="k") for _ in range(2))
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    assert Deal.objects.count() == deals + 1


def test_a_patch_is_replayed_too(api: BySession):
    path = f"/deals/{api.create()['id']}"
    first, again = (api.patch(path, {"price": "1"}, version=1, key="k") for _ in range(2))
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert again.json()["version"] == 2


def test_the_same_key_with_another_body_is_422(api: BySession):
    api.post("/deals/", api.new_deal(), key="k")
    refused(api.post("/deals/", api.new_deal(price="2"), key="k"), 422, "idempotency_key_reused")


def test_a_key_has_at_most_255_characters(api: BySession):
    assert api.post("/deals/", api.new_deal(), key="k" * 255).status_code == 201
    refused(api.post("/deals/", api.new_deal(), key="k" * 256), 422, "idempotency_key_invalid")


def test_a_key_is_kept_24_hours(by_key: BySession, clock: Any):
    first = by_key.post("/deals/", by_key.new_deal(), key="k").json()
    for by, is_same in ((timedelta(hours=23, minutes=59), True), (timedelta(minutes=2), False)):
        clock.now += by
        assert (by_key.post("/deals/", by_key.new_deal(), key="k").json()["id"] == first["id"]) is is_same


def test_a_key_is_of_one_actor_method_and_route(api: BySession, world: World):
    deal = api.post("/deals/", api.new_deal(), key="k").json()
    other = ByKey(make_key(world.vera).token, world.anna)
    assert "Idempotent-Replayed" not in other.post("/deals/", other.new_deal(), key="k")
    assert api.post("/clients/", {"phones": [OTHER_PHONE], **api.for_whom()}, key="k").status_code == 201
    assert api.patch(f"/deals/{deal['id']}", {"price": "1"}, version=1, key="k").status_code == 200


def test_the_keys_row_is_written_in_the_transaction_of_the_effect_so_only_2xx_is_kept(api: BySession):
    refused(api.post("/deals/", api.new_deal(price="0"), key="k"), 422, "invalid")
    assert not IdempotencyKey.objects.exists()
    assert api.post("/deals/", api.new_deal(), key="k").status_code == 201
    assert IdempotencyKey.objects.count() == 1


def test_the_body_is_kept_encrypted_and_the_request_as_a_keyed_digest(api: BySession):
    api.post("/deals/", api.new_deal(client_phone=OTHER_PHONE, client_name="Редкоеимя"), key="key-in-clear")
    ((body, *digests),) = IdempotencyKey.objects.cells("body", "request_digest", "key_digest")
    for secret in ("Редкоеимя".encode(), OTHER_PHONE.encode(), b"key-in-clear"):
        assert secret not in bytes(body.token)
        assert all(secret not in bytes(digest) for digest in digests)


def test_a_replay_is_given_only_to_who_may_still_see_the_object(by_session: BySession, world: World):
    deal = by_session.post("/deals/", by_session.new_deal(), key="k").json()
    head = Program(world.vera)
    assert head.post(f"/deals/{deal['id']}/hand-over", {"agent": str(world.boris.pk)}, version=1).status_code == 200
    refused(by_session.post("/deals/", by_session.new_deal(), key="k"), 404, "not_found")


def test_reveal_and_auth_take_no_key(api: BySession, world: World):
    for _ in range(2):
        assert "Idempotent-Replayed" not in api.post(f"/clients/{world.client.pk}/reveal", {}, key="k")
        assert "Idempotent-Replayed" not in api.post("/auth/send-code", {"phone": "79161112233"}, key="k")
    assert not IdempotencyKey.objects.exists()


# --- versions


def test_an_etag_is_the_version_and_a_digest_of_the_body(api: BySession):
    path = f"/deals/{api.create()['id']}"
    assert ETAG.fullmatch(api.get(path)["ETag"])[1] == "1"  # type: ignore[index]
    assert ETAG.fullmatch(api.patch(path, {"price": "1"}, version=1)["ETag"])[1] == "2"  # type: ignore[index]
    assert api.get(path)["ETag"] == api.get(path)["ETag"]


def test_two_bodies_of_one_version_have_two_tags(by_session: BySession, by_key: BySession):
    path = f"/deals/{by_session.create()['id']}"
    assert by_session.get(path)["ETag"] != by_key.get(path)["ETag"]


def test_if_match_takes_the_weak_form_and_the_version_alone_and_compares_the_version(api: BySession):
    path = f"/deals/{api.create()['id']}"
    tag = api.get(path)["ETag"]
    for version, match in enumerate((tag, f'W/"2.{"0" * 16}"', '"3"', 'W/"4"'), start=2):
        assert api.patch(path, {"price": str(version)}, version=match).json()["version"] == version


def changes(api: BySession, world: World) -> list[tuple[str, str, Any]]:
    """Return everything that asks for a version, of rows whose version is 2: method, path, body."""
    deal, trashed, client, gone = (str(world.things[name].pk) for name in ("moved", "trashed", "alone", "gone"))
    assert api.patch(f"/clients/{client}", {"name": "Мария"}, version=1).status_code == 200
    head_only = [("POST", f"/deals/{deal}/hand-over", {"agent": str(world.boris.pk)})] if api.for_whom() else []
    return [
        ("PATCH", f"/deals/{deal}", {"price": "1"}),
        ("DELETE", f"/deals/{deal}", None),
        ("POST", f"/deals/{deal}/stage-moves", {"to": "listing"}),
        ("POST", f"/deals/{trashed}/restore", None),
        ("PATCH", f"/clients/{client}", {"name": "Маша"}),
        ("DELETE", f"/clients/{client}", None),
        ("POST", f"/clients/{gone}/restore", None),
        *head_only,
    ]


def test_a_change_without_a_version_is_428(api: BySession, world: World):
    for method, path, body in changes(api, world):
        refused(api.send(method, path, body), 428, "version_required")


def test_a_change_from_an_old_version_is_412_with_the_current_one_and_the_fields_changed_since(
    api: BySession, world: World
):
    for method, path, body in changes(api, world):
        problem = refused(api.send(method, path, body, version=1), 412, "stale")
        assert problem["current_version"] == 2
        assert problem["changed_fields"]


def test_every_change_event_stores_its_version_and_field_names(api: BySession):
    deal = api.create()
    api.patch(f"/deals/{deal['id']}", {"price": "1", "notes": "Ключи"}, version=1)
    api.post(f"/deals/{deal['id']}/stage-moves", {"to": "showing"}, version=2)
    told = Event.objects.filter(object_id=deal["id"]).order_by("seq").values_list("version", "fields")
    assert [(version, sorted(fields)) for version, fields in told][1:] == [(2, ["notes", "price"]), (3, ["stage"])]


def test_delete_answers_the_new_etag(api: BySession):
    response = api.delete(f"/deals/{api.create()['id']}", version=1)
    assert (response.status_code, response.content) == (204, b"")
    assert ETAG.fullmatch(response["ETag"])[1] == "2"  # type: ignore[index]


def test_lists_carry_the_version(api: BySession):
    deal = api.create()
    api.patch(f"/deals/{deal['id']}", {"price": "1"}, version=1)
    assert api.get("/deals/").json()["items"][0]["version"] == 2
    assert all("version" in row for row in api.get("/clients/").json()["items"])


def test_if_none_match_gives_304(api: BySession):
    path = f"/deals/{api.create()['id']}"
    tag = api.get(path)["ETag"]
    known = api.get(path, If_None_Match=tag)
    assert (known.status_code, known.content, known["ETag"]) == (304, b"", tag)
    api.patch(path, {"price": "1"}, version=1)
    assert api.get(path, If_None_Match=tag).status_code == 200


def test_answers_are_kept_by_their_asker_alone_and_asked_about_again(api: BySession, world: World):
    for path in ("/deals/", f"/deals/{world.deal.pk}", "/clients/", "/pipelines", "/nothing"):
        response = api.get(path)
        assert response["Cache-Control"] == "private, no-cache"
        varies = {name.strip() for name in response["Vary"].split(",")}
        assert varies >= {"Cookie", "Authorization", "Accept-Language"}


# --- pages


def test_pages_carry_a_one_time_key_and_two_clicks_make_one_deal(world: World):
    browser, form, deals = world.browser("anna"), new_deal_form(client_name=""), Deal.objects.count()
    assert 'name="form_key"' in browser.get("/deals/new/").content.decode()
    first, second = (browser.post("/deals/new/", form) for _ in range(2))
    assert (
        (first.status_code, first["Location"]) == (second.status_code, second["Location"]) == (302, first["Location"])
    )
    assert Deal.objects.count() == deals + 1


def test_the_same_form_with_other_text_says_that_the_deal_exists_and_loses_nothing(world: World):
    browser, form = world.browser("anna"), new_deal_form(client_name="")
    made = browser.post("/deals/new/", form)["Location"]
    page = browser.post("/deals/new/", form | {"price": "13 000 000"})
    assert page.status_code == 409
    assert f"{made}edit/" in page.content.decode()  # opens it with these changes
    assert "13 000 000" in page.content.decode()


def test_pages_carry_the_version_and_a_conflict_shows_both_values(by_session: BySession, world: World):
    browser, path = world.browser("anna"), f"/deals/{by_session.create()['id']}"
    edit = f"{path}/edit/?field=price"
    form = {"version": version_on(browser.get(edit).content.decode()), "price": "10 000 000"}
    by_session.patch(path, {"price": "11000000"}, version=1)
    page = browser.post(edit, form)
    assert page.status_code == 412
    assert "10 000 000" in page.content.decode()
    assert "11\u202f000\u202f000" in page.content.decode()


# --- limits


def test_each_response_carries_what_is_left_of_its_limits(api: BySession, world: World):
    responses = [api.get("/deals/"), api.get("/nothing"), api.post("/deals/", {}), api.send("PUT", "/deals/", {})]
    policy = '"key";q=120;w=120, "agency";q=1200;w=120' if api.for_whom() else f'"person";q={10**9};w=300'
    for response in responses:
        assert response["RateLimit-Policy"] == policy
        assert re.match(r'"(key|person)";r=\d+;t=\d+', response["RateLimit"])
    assert Program().get("/deals/")["RateLimit-Policy"].startswith('"anonymous"')


def test_429_carries_retry_after(api: BySession, settings: Any):
    settings.LIMITS = {**settings.LIMITS, "person": (1, 300), "key": (1, 120)}
    assert api.get("/deals/").status_code == 200
    response = api.get("/deals/")
    refused(response, 429, "too_often")
    assert 0 < int(response["Retry-After"]) <= 300


def test_a_limit_that_needs_the_body_answers_with_the_rules(api: BySession, world: World, settings: Any):
    settings.LIMITS = {**settings.LIMITS, "looks": (1, 3600)}
    path = f"/clients/{world.client.pk}/reveal"
    assert api.post(path, {}).status_code == 200
    refused(api.post(path, {"why": "x"}), 422, "invalid", "/why")
    response = api.post(path, {})
    refused(response, 429, "limit_reached")
    assert 0 < int(response["Retry-After"]) <= 3600


def test_numbers_are_those_of_security_md():
    from lk_site import settings as ours

    assert {name: ours.LIMITS[name] for name in ("key", "person", "anonymous", "search", "looks", "export")} == {
        "key": (120, 120),
        "person": (1500, 300),
        "anonymous": (300, 300),
        "search": (30, 60),
        "looks": (60, 3600),
        "export": (3, 86_400),
    }
