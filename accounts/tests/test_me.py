import json
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Action, Consent, Event, Role, User
from accounts.services import consents
from accounts.services.consents import ConsentText
from accounts.tests.people import make_agency, make_agent, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(db: None) -> User:
    return make_agent()


@pytest.fixture
def newcomer(db: None) -> User:
    return make_agent(name=None, consent_version="", role=Role.HEAD)


def browser_of(user: User) -> Client:
    client = Client()
    sign_in(client, user, settings.SESSION_COOKIE_NAME)
    return client


def ask(client: Client, method: str, path: str, body: Any = None) -> Any:
    return client.generic(method, f"/api/v1{path}", json.dumps(body) if body is not None else "", "application/json")


def test_me_shows_a_masked_phone_and_nothing_due(anna: User) -> None:
    found = ask(browser_of(anna), "GET", "/me").json()
    assert found["id"] == str(anna.pk)
    assert found["phone_masked"].endswith((anna.phone or "")[-2:])
    assert (anna.phone or "") not in json.dumps(found)
    assert found["consents_due"] == []
    assert found["time_zone"] == "Europe/Moscow"


def edit_by_api(client: Client, **changes: str) -> int:
    return int(ask(client, "PATCH", "/me", changes).status_code)


def edit_in_browser(client: Client, **changes: str) -> int:
    now = {"name": "Анна Агеева", "language": "", "time_zone": "Europe/Moscow", "theme": "system"}
    return int(client.post("/profile/", now | changes).status_code)


@pytest.mark.parametrize("edit", [edit_by_api, edit_in_browser])
def test_both_doors_change_the_profile(anna: User, edit: Any) -> None:
    assert edit(browser_of(anna), name="Анна Петровна", time_zone="Asia/Omsk", theme="dark", language="en") < 400
    anna = User.objects.get(pk=anna.pk)
    assert (anna.name, anna.time_zone, anna.theme, anna.language) == ("Анна Петровна", "Asia/Omsk", "dark", "en")
    event = Event.objects.get(object_id=anna.pk, action=Action.PROFILE_CHANGED)
    assert set(event.fields) == {"name", "time_zone", "theme", "language"}
    assert (event.version, anna.version) == (2, 2)


@pytest.mark.parametrize("edit", [edit_by_api, edit_in_browser])
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("name", wrong) for wrong in ("", " ", "a\x00b", "a\u202eb", "x" * 101, "two\nlines")),
        *(("time_zone", wrong) for wrong in ("Moscow", "../../etc/passwd", "", "Etc/GMT+3")),
        *(("language", "de"), ("theme", "pink")),
    ],
)
def test_both_doors_refuse_a_wrong_profile(anna: User, edit: Any, field: str, wrong: str) -> None:
    assert edit(browser_of(anna), **{field: wrong}) == 422
    assert User.objects.get(pk=anna.pk).version == 1


def test_what_was_typed_into_the_profile_stays(anna: User) -> None:
    page = browser_of(anna).post("/profile/", {"name": "Анна Петровна", "time_zone": "Moscow", "theme": "dark"})
    assert "Анна Петровна" in page.content.decode()


def test_the_same_profile_again_changes_nothing(anna: User) -> None:
    assert edit_in_browser(browser_of(anna)) == 302
    assert User.objects.get(pk=anna.pk).version == 1
    assert not Event.objects.filter(action=Action.PROFILE_CHANGED).exists()


def test_a_newcomer_gives_name_and_consent_on_one_page(newcomer: User) -> None:
    client = browser_of(newcomer)
    assert client.get("/deals/")["Location"] == "/welcome/"
    page = client.get("/welcome/").content.decode()
    assert "checked" not in page
    assert "/logout/" in page
    assert client.post("/welcome/", {"name": "Анна", "version": "1", "consent": "on"}).status_code == 302
    newcomer = User.objects.get(pk=newcomer.pk)
    assert (newcomer.name, newcomer.consent_version) == ("Анна", "1")
    given = Consent.objects.get(user=newcomer)
    assert given.text_hash == consents.text_hash(consents.CONSENTS[0], "ru")
    assert Event.objects.get(action=Action.CONSENT_GIVEN).data["text_hash"] == given.text_hash


@pytest.mark.parametrize("missing", ["name", "consent", "version"])
def test_without_name_or_tick_nothing_is_taken(newcomer: User, missing: str) -> None:
    typed = {"name": "Анна", "version": "1", "consent": "on"}
    typed.pop(missing)
    page = browser_of(newcomer).post("/welcome/", typed)
    assert page.status_code == 422
    assert User.objects.get(pk=newcomer.pk).version == 1
    assert not Consent.objects.exists()


def test_a_version_that_is_not_offered_takes_neither_name_nor_consent(newcomer: User) -> None:
    page = browser_of(newcomer).post("/welcome/", {"name": "Анна", "version": "0", "consent": "on"})
    assert page.status_code == 422
    assert 'value="1"' in page.content.decode()
    assert User.objects.get(pk=newcomer.pk).name is None


def test_the_text_can_be_read_by_anybody() -> None:
    for path in ("/consent/", "/consent/personal_data/1/"):
        assert "152-ФЗ" in Client().get(path).content.decode()
    assert "152-FZ" in Client(headers={"Accept-Language": "en"}).get("/consent/").content.decode()
    assert Client().get("/consent/personal_data/99/").status_code == 404


def test_the_api_asks_for_the_consent_too(newcomer: User) -> None:
    client = browser_of(newcomer)
    refused = ask(client, "GET", "/agents")
    assert (refused.status_code, refused.json()["code"]) == (403, "consent_required")
    (due,) = ask(client, "GET", "/me").json()["consents_due"]
    assert Client().get(due["text"]).status_code == 200
    given = ask(client, "POST", "/me/consents", {"document": due["document"], "version": due["version"]})
    assert given.status_code == 201
    assert ask(client, "GET", "/agents").status_code == 200
    assert ask(client, "POST", "/me/consents", {"document": "personal_data", "version": "1"}).status_code == 201
    assert Consent.objects.count() == 1


@pytest.mark.parametrize("wrong", [{"document": "soul"}, {"version": "99"}, {"version": "0"}])
def test_only_offered_texts_can_be_agreed_to(newcomer: User, wrong: dict[str, str]) -> None:
    body = {"document": "personal_data", "version": "1"} | wrong
    assert ask(browser_of(newcomer), "POST", "/me/consents", body).status_code == 422


SECOND = ConsentText("personal_data", "2", published_on=date(2027, 1, 1), blocks_from=date(2027, 2, 1))


@pytest.mark.parametrize(
    ("today", "method", "is_blocked", "due"),
    [
        (date(2026, 12, 31), "GET", False, []),
        (date(2027, 1, 1), "GET", False, ["2"]),
        (date(2027, 2, 1), "GET", True, ["2"]),
        (date(2027, 2, 1), "POST", False, ["2"]),
    ],
)
def test_a_newer_text_blocks_from_its_own_date_and_never_a_post(
    anna: User, monkeypatch: pytest.MonkeyPatch, today: date, method: str, is_blocked: bool, due: list[str]
) -> None:
    monkeypatch.setattr(consents, "CONSENTS", (*consents.CONSENTS, SECOND))
    assert consents.is_blocked(anna, method, today) is is_blocked
    assert [text.version for text in consents.consents_due(anna, today)] == due


def test_without_a_first_consent_a_post_is_blocked_too(newcomer: User) -> None:
    assert consents.is_blocked(newcomer, "POST")


def test_agents_of_the_own_agency_are_listed_by_pages(anna: User) -> None:
    boris = make_agent(anna.agency, "Борис", is_active=False)
    vera = make_agent(anna.agency, "Вера", Role.HEAD)
    make_agent(make_agency("Другое"), "Глеб")
    client = browser_of(anna)
    first = ask(client, "GET", "/agents?limit=2").json()
    rest = client.get("/api/v1/agents", {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["id"] for row in first["items"] + rest["items"]] == [str(user.pk) for user in (anna, boris, vera)]
    assert first["items"][1] == {"id": str(boris.pk), "name": "Борис", "role": "agent", "active": False}
    assert rest["next_cursor"] is None


def test_language_is_kept_for_the_person_and_for_the_browser(anna: User) -> None:
    client = browser_of(anna)
    assert client.post("/language/", {"language": "en", "next": "/more/"})["Location"] == "/more/"
    assert User.objects.get(pk=anna.pk).language == "en"
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == "en"
    stranger = Client()
    stranger.post("/language/", {"language": "en", "next": "//evil.example"})
    assert stranger.get("/login/")["Content-Language"] == "en"


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example/", "/\\evil.example", ""])
def test_language_leads_to_no_other_site(path: str) -> None:
    assert Client().post("/language/", {"language": "en", "next": path})["Location"] == "/"


def test_theme_is_one_button(anna: User) -> None:
    client = browser_of(anna)
    client.post("/theme/", {"theme": "dark"})
    client.post("/theme/", {"theme": "pink"})
    assert User.objects.get(pk=anna.pk).theme == "dark"
    assert 'data-theme="dark"' in client.get("/more/").content.decode()
