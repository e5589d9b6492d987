"""The pages of keys: who sees them, what is shown once, what is kept of what was typed, and what is told of a key."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, ApiKey, Event, IdempotencyKey, Role, Scope, Session, User
from accounts.services import agencies, keys, people
from accounts.services.keys import ShownKey
from accounts.tests.clock import Clock, clock
from accounts.tests.people import make_agent, sign_in, staff_actor
from accounts.tests.programs import confirmed, make_key, program
from accounts.tests.side_by_side import side_by_side
from lk_site.errors import NotAllowed

__all__ = ["clock"]
pytestmark = pytest.mark.django_db
TOKEN = re.compile(r"lk_live_[0-9A-Za-z]{46}")


@pytest.fixture
def vera(db: None) -> User:
    return make_agent(agencies.add_agency("Ключи и двери", actor=Actor.system()), "Вера Власова", role=Role.HEAD)


@pytest.fixture
def client(vera: User) -> Client:
    """Vera's browser, confirmed by a code just now."""
    return browser_of(vera, is_confirmed=True)


def browser_of(user: User, *, is_confirmed: bool = False) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    row = sign_in(client, user, settings.SESSION_COOKIE_NAME)
    if is_confirmed:
        Session.objects.filter(pk=row.pk).update(confirmed_at=timezone.now())
    return client


def form(**changes: Any) -> dict[str, Any]:
    """What a head types into the form of a new key."""
    typed = {"form_key": str(uuid4()), "name": "Бухгалтерия", "scopes": ["deals:read"], "lifetime": "90"}
    return typed | changes


def text_of(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return answer.content.decode()


def token_in(answer: Any) -> str:
    return TOKEN.findall(text_of(answer))[0]


def page_of(key: ApiKey, action: str = "") -> str:
    return f"/keys/{key.pk}/{action}"


# --- who


@pytest.mark.parametrize("path", ["/keys/", "/keys/new/"])
def test_an_agent_is_told_that_keys_are_the_heads(vera: User, path: str):
    anna = browser_of(make_agent(vera.agency))
    assert "/keys/" not in text_of(anna.get("/more/"))
    assert anna.get(path).status_code == 403


def test_the_head_finds_keys_under_more(client: Client):
    assert 'href="/keys/"' in text_of(client.get("/more/"))


@pytest.mark.parametrize("action", ["", "edit/", "rotate/"])
def test_a_key_of_another_agency_is_absent(client: Client, action: str):
    gleb = make_agent(name="Глеб Громов", role=Role.HEAD)
    assert client.get(page_of(make_key(gleb).key, action)).status_code == 404


# --- made, and shown once


def test_a_key_is_made_as_it_was_asked_for_and_opens(client: Client, vera: User):
    networks = " 127.0.0.0/8 \r\n\r\n2001:db8::/48\r\n"
    token = token_in(client.post("/keys/new/", form(networks=networks, scopes=["clients:read", "deals:read"])))
    key = ApiKey.objects.get()
    assert (key.name, key.scopes, key.made_by_id) == ("Бухгалтерия", ["deals:read", "clients:read"], vera.pk)
    assert key.networks == ["127.0.0.0/8", "2001:db8::/48"]
    assert (key.expires_at - key.created_at).days == 90
    assert program(token).get("/api/v1/key").status_code == 200


@pytest.mark.parametrize(("lifetime", "days", "lives"), [("30", "", 30), ("365", "7", 365), ("other", " 7 ", 7)])
def test_a_lifetime_is_chosen_or_typed(client: Client, lifetime: str, days: str, lives: int):
    client.post("/keys/new/", form(lifetime=lifetime, days=days))
    key = ApiKey.objects.get()
    assert (key.expires_at - key.created_at).days == lives


def test_the_token_is_kept_by_no_cache_and_stands_in_no_table(client: Client):
    answer = client.post("/keys/new/", form())
    assert answer["Cache-Control"] == "no-store"
    secret = token_in(answer)[18:-6]
    kept = [IdempotencyKey.objects.get().body, *(session.data for session in Session.objects.all())]
    assert not any(secret in str(text) for text in kept)
    assert not any(secret in str(event.data) for event in Event.objects.all())


def test_a_repeat_of_the_form_makes_no_other_key_and_says_that_it_was_shown(client: Client):
    typed = form()
    client.post("/keys/new/", typed)
    again = client.post("/keys/new/", typed)
    key = ApiKey.objects.get()
    assert again["Location"] == page_of(key)
    page = text_of(client.get(again["Location"]))
    assert "shown once" in page
    assert not TOKEN.search(page)


@pytest.mark.django_db(transaction=True)
def test_of_a_form_sent_six_times_at_once_one_makes_a_key_and_shows_it(client: Client):
    typed, cookie = form(), client.cookies[settings.SESSION_COOKIE_NAME].value

    def send(number: int) -> bool:
        browser = Client()
        browser.cookies[settings.SESSION_COOKIE_NAME] = cookie
        answer = browser.post("/keys/new/", typed)
        assert answer.status_code in (200, 302)
        return bool(TOKEN.search(answer.content.decode()))

    assert sorted(side_by_side(6, send)) == [False] * 5 + [True]
    assert ApiKey.objects.count() == 1


def test_the_form_sent_again_with_other_text_asks_before_it_makes_another(client: Client):
    typed = form()
    client.post("/keys/new/", typed)
    page = text_of(client.post("/keys/new/", {**typed, "name": "Касса"}), 409)
    assert 'value="Касса"' in page
    assert typed["form_key"] not in page
    assert ApiKey.objects.count() == 1


def test_without_a_code_nothing_is_made(vera: User):
    plain = browser_of(vera)
    assert "code from an SMS" in text_of(plain.get("/keys/new/"))
    assert plain.post("/keys/new/", form())["Location"].startswith("/step-up/")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "а" * 101}, "name"),
        ({"name": "а\x00"}, "name"),
        ({"scopes": ["deals:read", "keys:manage"]}, "scopes"),
        ({"networks": "10.0.0.0/8\n10.0.0.1/8"}, "networks"),
        ({"networks": "\n".join(["10.0.0.0/8"] * 21)}, "networks"),
        ({"lifetime": "other"}, "days"),
        ({"lifetime": "other", "days": "0"}, "days"),
        ({"lifetime": "other", "days": "366"}, "days"),
        ({"lifetime": "other", "days": "год"}, "days"),
        ({"lifetime": "other", "days": "9" * 5000}, "days"),
        ({"lifetime": "31"}, "lifetime"),
    ],
)
def test_a_wrong_field_is_told_at_its_place_and_nothing_typed_is_lost(
    client: Client, typed: dict[str, Any], field: str
):
    page = text_of(client.post("/keys/new/", form(**{"networks": "192.0.2.0/24", **typed})), 422)
    assert f'id="id_{field}_error"' in page
    assert page.count('class="error"') == 1
    assert "Бухгалтерия" in page or field == "name"
    assert "192.0.2.0/24" in page or field == "networks"
    assert not ApiKey.objects.exists()


def test_the_line_that_is_no_network_is_named(client: Client):
    page = text_of(client.post("/keys/new/", form(networks="10.0.0.0/8\nдом <b>\n")), 422)
    assert "«дом &lt;b&gt;»" in page


def test_the_fifty_first_key_is_refused_with_everything_typed(client: Client, vera: User):
    now = timezone.now()
    rows = [ApiKey(agency=vera.agency, name=f"Касса {n}", expires_at=now + timedelta(days=99)) for n in range(50)]
    ApiKey.objects.bulk_create(rows)
    page = text_of(client.post("/keys/new/", form()), 422)
    assert "at most 50 keys" in page
    assert 'value="Бухгалтерия"' in page
    assert text_of(client.get("/keys/")).count("row-link") == 50


# --- the list


def test_the_first_key_is_offered_where_there_is_none(client: Client):
    page = text_of(client.get("/keys/"))
    assert 'href="/keys/new/"' in page
    assert "<table" not in page


def test_the_list_tells_what_a_key_may_when_it_was_used_and_when_it_ends(client: Client, vera: User):
    shown = make_key(vera, ["deals:read", "clients:reveal"], name="<b>Портал</b>", days=20)
    make_key(vera, [], name="Касса")
    program(shown.token).get("/api/v1/key")
    page = text_of(client.get("/keys/"))
    for told in ("&lt;b&gt;Портал&lt;/b&gt;", "See deals, reveal clients&#x27; numbers", "127.0.0.1", "today"):
        assert told in page, told
    assert "ends in 20\u00a0days" in page
    assert page.count("ends in") == 1, "the other one lives for a year"
    assert "never used" in page
    assert "Nothing yet" in page


def test_keys_that_have_ended_are_folded_away(vera: User, clock: Clock):
    revoked, _expired = make_key(vera, name="Портал"), make_key(vera, name="Касса", days=1)
    keys.revoke_key(revoked.key.pk, actor=Actor.of(vera))
    clock.forward(days=1)
    page = text_of(browser_of(vera).get("/keys/"))
    folded = page[page.index("<details") :]
    assert "revoked" in folded
    assert "ended" in folded
    assert "row-link" not in page[: page.index("<details")]


@pytest.mark.parametrize("count", [1, 10])
def test_the_list_costs_the_same_for_any_number_of_keys(
    client: Client, vera: User, count: int, django_assert_num_queries: Any
):
    for _ in range(count):
        make_key(vera)
    client.get("/keys/")
    with django_assert_num_queries(4):
        client.get("/keys/")


def test_a_key_outlives_who_made_it_and_the_other_heads_are_told(client: Client, vera: User):
    zoya = make_agent(vera.agency, "Зоя Зимина", role=Role.HEAD)
    shown = make_key(zoya)
    assert "has left" not in text_of(client.get("/keys/"))
    people.disable_agent(zoya.pk, actor=Actor.system())
    assert program(shown.token).get("/api/v1/key").status_code == 200
    for path in ("/keys/", page_of(shown.key)):
        assert "Made by Зоя Зимина, who has left" in text_of(client.get(path)), path


def test_of_a_key_whose_maker_nobody_knows_nothing_is_said(client: Client, vera: User):
    key = make_key(vera).key
    for maker in (None, uuid4()):
        ApiKey.objects.update(made_by_id=maker)
        assert "has left" not in text_of(client.get("/keys/"))
        assert "has left" not in text_of(client.get(page_of(key)))


# --- one key


def test_a_key_is_changed(client: Client, vera: User):
    key = make_key(vera, ["deals:read"], networks=["192.0.2.0/24"]).key
    page = text_of(client.get(page_of(key, "edit/")))
    for told in ('value="Бухгалтерия"', "192.0.2.0/24"):
        assert told in page, told
    assert page.count(" checked") == 1
    assert client.post(page_of(key, "edit/"), {"name": "Касса", "scopes": list(Scope)})["Location"] == page_of(key)
    key.refresh_from_db()
    assert (key.name, key.scopes, key.networks) == ("Касса", list(Scope.values), [])


def test_boxes_that_were_emptied_come_back_empty_after_the_code(vera: User):
    key = make_key(vera, ["deals:read"]).key
    plain = browser_of(vera)
    assert plain.post(page_of(key, "edit/"), {"name": "Касса"})["Location"].startswith("/step-up/")
    page = text_of(plain.get(page_of(key, "edit/")))
    assert 'value="Касса"' in page
    assert " checked" not in page


def test_a_new_secret_is_shown_once_and_the_old_one_works_for_a_day(vera: User, clock: Clock):
    client = browser_of(vera, is_confirmed=True)
    old = make_key(vera, days=10)
    assert "24 hours" in text_of(client.get(page_of(old.key, "rotate/")))
    typed = {"form_key": str(uuid4()), "lifetime": "30"}
    answer = client.post(page_of(old.key, "rotate/"), typed)
    new = token_in(answer)
    assert "The old secret works until" in text_of(answer)
    page = text_of(client.get(page_of(old.key)))
    assert old.token[:18] in page
    assert new[:18] in page
    assert not TOKEN.search(page)
    assert client.post(page_of(old.key, "rotate/"), typed)["Location"] == page_of(old.key)
    assert ApiKey.objects.get().secrets.count() == 2
    clock.forward(hours=24)
    assert [keys.key_of_token(token) for token in (old.token, new)] == [None, old.key]
    assert old.token[:18] not in text_of(browser_of(vera).get(page_of(old.key)))


def test_a_key_is_ended_at_once_and_without_a_code(vera: User):
    shown, plain = make_key(vera, name="Портал"), browser_of(vera)
    page = text_of(plain.get(page_of(shown.key)))
    assert "End the key “Портал”" in page[page.index(page_of(shown.key, "revoke/")) :], "the button names the key"
    assert plain.post(page_of(shown.key, "revoke/"))["Location"] == "/keys/"
    assert program(shown.token).get("/api/v1/key").status_code == 401


def test_an_ended_key_is_shown_and_can_no_longer_be_changed(client: Client, vera: User):
    key = make_key(vera).key
    keys.revoke_key(key.pk, actor=Actor.of(vera))
    page = text_of(client.get(page_of(key)))
    for action in ("edit/", "rotate/", "revoke/"):
        assert page_of(key, action) not in page
        assert client.post(page_of(key, action), form()).status_code == 422
    for action in ("edit/", "rotate/"):
        assert client.get(page_of(key, action))["Location"] == page_of(key)


def test_a_button_of_an_ended_key_says_that_it_has_ended(client: Client, vera: User):
    key = make_key(vera).key
    keys.revoke_key(key.pk, actor=Actor.of(vera))
    here = {"Referer": f"http://testserver{page_of(key)}"}
    assert client.post(page_of(key, "revoke/"), headers=here)["Location"] == page_of(key)
    assert "This key has ended" in text_of(client.get(page_of(key)))


def test_staff_end_a_key_and_agents_system_and_keys_do_not(vera: User):
    shown = make_key(vera)
    for actor in (Actor.of_key(shown.key), Actor.system(), Actor.nobody()):
        with pytest.raises(NotAllowed):
            keys.revoke_key(shown.key.pk, actor=actor)
    with pytest.raises(ApiKey.DoesNotExist):
        keys.revoke_key(shown.key.pk, actor=Actor.of(make_agent(vera.agency)))
    keys.revoke_key(shown.key.pk, actor=staff_actor())
    event = Event.objects.get(action=Action.KEY_REVOKED)
    assert (event.actor_kind, event.agency_id, event.address) == ("staff", vera.agency_id, "203.0.113.5")


def test_the_head_is_told_that_staff_ended_a_key(client: Client, vera: User):
    by_staff, by_head = make_key(vera).key, make_key(vera).key
    keys.revoke_key(by_staff.pk, actor=staff_actor())
    keys.revoke_key(by_head.pk, actor=Actor.of(vera))
    assert "Staff of the platform ended it" in text_of(client.get(page_of(by_staff)))
    assert "Staff of the platform" not in text_of(client.get(page_of(by_head)))


def test_nobody_but_staff_looks_for_a_leaked_key(vera: User):
    shown = make_key(vera)
    for actor in (confirmed(vera), Actor.of_key(shown.key), Actor.nobody()):
        with pytest.raises(NotAllowed):
            keys.find_key(shown.token, actor=actor)


# --- what it did


def work_with(shown: ShownKey, agent: User) -> dict[str, Any]:
    """Let a program create a deal; return its answer."""
    body = {"client_phone": "79161234567", "property_address": "Арбат, 1", "price": "100", "agent": str(agent.pk)}
    answer = program(shown.token).post("/api/v1/deals/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_the_page_tells_what_a_key_did_and_leads_there(client: Client, vera: User):
    shown = make_key(vera)
    assert "Nothing yet." in text_of(client.get(page_of(shown.key)))
    deal = work_with(shown, vera)
    page = text_of(client.get(page_of(shown.key)))
    assert "Created the deal" in page
    assert f'href="/deals/{deal["id"]}/">№ {deal["number"]}<' in page
    assert page.index("Created the deal") < page.index("Used a key"), "newest first"
    assert "79161234567" not in page


def test_what_is_gone_is_named_without_a_way_to_it(client: Client, vera: User):
    shown = make_key(vera)
    deal = work_with(shown, vera)
    program(shown.token).delete(f"/api/v1/deals/{deal['id']}", headers={"If-Match": '"1"'})
    page = text_of(client.get(page_of(shown.key)))
    assert "Moved the deal to the trash" in page
    assert f"/deals/{deal['id']}/" not in page


def test_deeds_of_other_keys_and_people_are_not_among_them(client: Client, vera: User):
    shown, other = make_key(vera), make_key(vera)
    work_with(other, vera)
    assert "Created the deal" not in text_of(client.get(page_of(shown.key)))


def test_many_deeds_come_in_pages_that_neither_repeat_nor_hide_any(vera: User, clock: Clock):
    shown = make_key(vera)
    for _ in range(65):
        clock.forward(hours=2)
        program(shown.token).get("/api/v1/key")
    client, seen, address = browser_of(vera), [], page_of(shown.key)
    while address:
        page = text_of(client.get(address))
        seen += re.findall(r'id="deed-([^"]+)"', page)
        following = re.search(r'href="(\?cursor=[^"#]+)#deeds"', page)
        address = page_of(shown.key) + following[1] if following else ""
    assert len(seen) == len(set(seen)) == 65


@pytest.mark.parametrize("cursor", ["x", "", "%00", "a" * 1000])
def test_a_cursor_that_is_none_leads_to_the_first_page(client: Client, vera: User, cursor: str):
    key = make_key(vera).key
    assert client.get(page_of(key) + f"?cursor={cursor}").status_code == 200
