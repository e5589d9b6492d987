"""The admin: who gets in, what staff see and change, and what they leave behind."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from accounts.admin import site
from accounts.models import Action, Agency, Event, EventText, Role, Session, SmsMessage, User
from accounts.services import keys
from accounts.services.keys import ShownKey
from accounts.tests.people import PASSWORD, make_agency, make_agent, make_staff, sign_in, totp_code
from accounts.tests.programs import make_key, program

pytestmark = pytest.mark.django_db
NAME, PHONE = "Евлампия Неповторимая", "79161230987"


@pytest.fixture
def sonya(db: None) -> User:
    return make_staff()


@pytest.fixture
def admin(sonya: User) -> Browser:
    """Sonya's browser, logged in to the admin."""
    browser = Browser()
    sign_in(browser, sonya, settings.ADMIN_COOKIE_NAME)
    return browser


@pytest.fixture
def agency() -> Agency:
    return make_agency("Ключ")


@pytest.fixture
def anna(agency: Agency) -> User:
    make_agent(agency, "Вера Волкова", Role.HEAD)
    return make_agent(agency, NAME, phone=PHONE)


def page_of(obj: Any, action: str = "change") -> str:
    return f"/admin/{obj._meta.app_label}/{obj._meta.model_name}/{obj.pk}/{action}/"


def last_event(action: Action) -> Event:
    return Event.objects.filter(action=action).latest("at")


# --- the door --------------------------------------------------------------------------------------------------------


def typed(sonya: User, **changes: str) -> dict[str, str]:
    return {"login": "sonya", "password": PASSWORD, "code": totp_code(sonya), "next": "/admin/", **changes}


def test_staff_log_in_with_password_and_code_and_out_again(sonya: User) -> None:
    browser = Browser(headers={"User-Agent": "Firefox"})
    assert browser.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    entered = browser.post("/admin/login/", typed(sonya))
    assert entered["Location"] == "/admin/"
    assert settings.SESSION_COOKIE_NAME not in entered.cookies
    assert browser.get("/admin/").status_code == 200
    left = browser.post("/admin/logout/")
    assert left["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.get("/admin/").status_code == 302
    assert not Session.objects.exists()


@pytest.mark.parametrize("wrong", [{"login": "boris"}, {"password": "wrong"}, {"code": "000000"}, {"code": ""}])
def test_a_wrong_proof_says_the_same_and_opens_nothing(sonya: User, wrong: dict[str, str]) -> None:
    refused = Browser().post("/admin/login/", typed(sonya, **wrong))
    assert refused.status_code == 422
    assert settings.ADMIN_COOKIE_NAME not in refused.cookies
    assert PASSWORD not in refused.content.decode()


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example/admin/", "/deals/", "/admin/../deals/"])
def test_a_login_leads_nowhere_but_into_the_admin(sonya: User, wanted: str) -> None:
    location = Browser().post("/admin/login/", typed(sonya, next=wanted))["Location"]
    assert location.startswith("/admin/")


def test_login_needs_a_csrf_token(sonya: User) -> None:
    assert Browser(enforce_csrf_checks=True).post("/admin/login/", typed(sonya)).status_code == 403


def test_logout_is_a_post(admin: Browser) -> None:
    assert admin.get("/admin/logout/").status_code == 405
    assert admin.get("/admin/").status_code == 200


def test_staff_are_anonymous_on_agents_pages_and_in_the_api(admin: Browser, sonya: User) -> None:
    sign_in(admin, sonya, settings.SESSION_COOKIE_NAME)  # the key of a staff session in the agents' cookie
    for path in ("/deals/", "/clients/", "/more/", "/profile/", "/devices/"):
        assert admin.get(path)["Location"].startswith("/login/"), path
    for path in ("me", "deals/", "clients/", "agents", "pipelines"):
        assert admin.get(f"/api/v1/{path}").status_code == 401, path


def test_an_agent_is_nobody_in_the_admin(anna: User) -> None:
    browser = Browser()
    sign_in(browser, anna, settings.SESSION_COOKIE_NAME)
    sign_in(browser, anna, settings.ADMIN_COOKIE_NAME)
    assert browser.get("/admin/").status_code == 302
    assert browser.get(page_of(anna)).status_code == 302


def test_no_page_of_the_admin_opens_to_a_stranger() -> None:
    stranger = Browser()
    for path in admin_paths():
        assert stranger.get(path).status_code in (302, 404, 405), path
        assert stranger.post(path).status_code in (302, 403, 404, 405, 422), path


def admin_paths() -> list[str]:
    """Every address of the admin, with an id in place of each parameter."""
    routes = [route for url in site.get_urls() for route in routes_of(url)]
    paths = [f"/admin/{re.sub(r'<[^>]+>', 'x', route)}" for route in routes if "(" not in route]
    assert len(paths) > 40
    return [path for path in paths if path != "/admin/login/"]


def routes_of(url: Any) -> list[str]:
    route = str(url.pattern)
    inner = getattr(url, "url_patterns", None)
    return [route] if inner is None else [route + rest for one in inner for rest in routes_of(one)]


# --- what staff see --------------------------------------------------------------------------------------------------


def test_every_list_and_page_opens_and_shows_masks_only(admin: Browser, anna: User) -> None:
    SmsMessage(phone=PHONE, text="LK: 123456", useless_at=anna.created_at).save()
    assert anna.agency is not None
    admin.post(page_of(anna.agency, "rename"), {"name": "Дверь"})
    for model, model_admin in site._registry.items():
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        text = shown(admin, path)
        for row in model_admin.get_queryset(request_of(admin))[:3]:
            text += shown(admin, page_of(row))
        assert "Неповторимая" not in text, path
        assert "1230987" not in text.replace(" ", "").replace("-", ""), path
        assert "123456" not in text, path


def shown(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode().replace("\u00a0", " ")


def request_of(browser: Browser) -> Any:
    return browser.get("/admin/").wsgi_request


def test_people_are_told_apart_by_masks(admin: Browser, anna: User) -> None:
    text = shown(admin, "/admin/accounts/user/")
    assert "Е••• Н•••" in text
    assert "+7 916 ***-**-87" in text


def test_staff_users_are_not_listed_among_people(admin: Browser, sonya: User) -> None:
    assert str(sonya.pk) not in shown(admin, "/admin/accounts/user/")
    assert admin.get(page_of(sonya)).status_code == 302


@pytest.mark.parametrize("path", ["add/", "{}/delete/", "{}/password/", "{}/history/"])
def test_nobody_is_added_or_deleted_past_the_services(admin: Browser, anna: User, path: str) -> None:
    for method in (admin.get, admin.post):
        assert method("/admin/accounts/user/" + path.format(anna.pk)).status_code in (200, 302, 403, 404, 405)
    admin.post(page_of(anna), {"name": "Взлом", "role": "head", "_save": "1"})
    assert User.objects.get(pk=anna.pk).name == NAME
    assert User.objects.get(pk=anna.pk).role == Role.AGENT


def test_agencies_are_found_by_a_part_of_their_name_in_any_case(admin: Browser, agency: Agency) -> None:
    make_agency("Дверь")
    for query in ("клю", "КЛЮЧ", "Ключ", str(agency.pk)):
        text = shown(admin, f"/admin/accounts/agency/?q={query}")
        assert "Ключ" in text, query
        assert "Дверь" not in text, query


@pytest.mark.parametrize(
    "query",
    ["actor={anna}", "actor=sonya", "object={anna}", "agency={agency}", "since=2020-01-01", "action=role.changed"],
)
def test_the_audit_is_filtered_by_actor_object_agency_action_and_time(
    admin: Browser, anna: User, agency: Agency, query: str
) -> None:
    admin.post(page_of(anna, "make-head"))
    text = shown(admin, "/admin/accounts/event/?" + query.format(anna=anna.pk, agency=agency.pk))
    assert (f'title="{anna.pk}"' in text) is (query != "actor={anna}")


@pytest.mark.parametrize("query", ["until=2020-01-01", "actor=nobody", "object=x", "agency=x", "since=never", "q=%00"])
def test_a_filter_that_means_nothing_finds_nothing_and_breaks_nothing(admin: Browser, anna: User, query: str) -> None:
    admin.post(page_of(anna, "make-head"))
    assert admin.get(f"/admin/accounts/event/?{query}").status_code in (200, 302)


def test_a_list_of_the_audit_costs_few_queries(admin: Browser, anna: User, django_assert_max_num_queries: Any) -> None:
    for name in ("make-head", "make-agent", "disable", "enable"):
        admin.post(page_of(anna, name))
    with django_assert_max_num_queries(16):
        shown(admin, "/admin/accounts/event/")


# --- what staff change -----------------------------------------------------------------------------------------------


def test_staff_open_rename_and_close_an_agency(admin: Browser) -> None:
    opened = admin.post("/admin/accounts/agency/open/", {"name": "Новый дом"})
    agency = Agency.objects.get(name="Новый дом")
    assert opened["Location"] == page_of(agency)
    assert last_event(Action.AGENCY_OPENED).actor_id == User.objects.get(login="sonya").pk
    admin.post(page_of(agency, "rename"), {"name": "Старый дом"})
    assert Agency.objects.get(pk=agency.pk).name == "Старый дом"
    admin.post(page_of(agency, "close"))
    assert Agency.objects.get(pk=agency.pk).closed_at
    assert admin.get(page_of(agency, "rename")).status_code == 404


def test_an_agency_with_people_says_why_it_stays_open(admin: Browser, anna: User) -> None:
    refused = admin.post(page_of(anna.agency, "close"))
    assert refused.status_code == 422
    assert "errornote" in refused.content.decode()


def test_staff_add_an_agent_by_phone_name_and_role(admin: Browser, agency: Agency) -> None:
    typed = {"agency": str(agency.pk), "phone": "8 916 555-44-33", "name": "Пётр", "role": "head"}
    assert admin.post("/admin/accounts/user/join/", typed).status_code == 302
    agent = User.objects.with_phone("79165554433").get()
    assert (agent.agency_id, agent.role, agent.name) == (agency.pk, "head", "Пётр")
    again = admin.post("/admin/accounts/user/join/", typed)
    assert again.status_code == 422
    assert "8 916 555-44-33" in again.content.decode()


@pytest.mark.parametrize(
    "wrong", [{"agency": "x"}, {"agency": "0" * 32}, {"phone": "1"}, {"name": ""}, {"name": "a\x00"}, {"role": "god"}]
)
def test_an_agent_is_not_added_with_a_wrong_field(admin: Browser, agency: Agency, wrong: dict[str, str]) -> None:
    typed = {"agency": str(agency.pk), "phone": "79165554433", "name": "Пётр", "role": "head"} | wrong
    assert admin.post("/admin/accounts/user/join/", typed).status_code == 422
    assert not User.objects.agents().exists()


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("make-head", Action.ROLE_CHANGED),
        ("disable", Action.AGENT_DISABLED),
        ("clear", Action.LIMITS_CLEARED),
        ("rename", Action.AGENT_CHANGED),
    ],
)
def test_each_button_at_a_person_is_a_service_that_leaves_evidence(
    admin: Browser, anna: User, name: str, action: Action
) -> None:
    assert admin.get(page_of(anna, name)).status_code == 200
    assert not Event.objects.filter(object_id=anna.pk).exists(), "looking changes nothing"
    assert admin.post(page_of(anna, name), {"name": "Анна"}).status_code == 302
    event = last_event(action)
    assert (event.actor_kind, event.object_id, event.agency_id) == ("staff", anna.pk, anna.agency_id)


def test_ending_sessions_ends_them(admin: Browser, anna: User) -> None:
    browser = Browser()
    sign_in(browser, anna, settings.SESSION_COOKIE_NAME)
    assert browser.get("/more/").status_code == 200
    admin.post(page_of(anna, "end-sessions"))
    assert browser.get("/more/").status_code == 302


def test_the_last_head_stays_and_staff_read_why(admin: Browser, anna: User) -> None:
    vera = User.objects.get(role=Role.HEAD)
    for name in ("disable", "make-agent"):
        assert admin.post(page_of(vera, name)).status_code == 422
    assert User.objects.get(pk=vera.pk).is_head


def test_people_are_found_by_phone_without_the_phone_in_an_address(admin: Browser, anna: User) -> None:
    found = admin.post("/admin/accounts/user/find/", {"phone": "+7 916 123-09-87"})
    assert found["Location"] == page_of(anna)
    assert admin.post("/admin/accounts/user/find/", {"phone": "79160000000"}).status_code == 422
    assert Event.objects.filter(action=Action.ADMIN_ACTION).count() == 2


def test_a_number_is_shown_once_for_a_reason_and_recorded(admin: Browser, anna: User) -> None:
    assert admin.post(page_of(anna, "reveal"), {"reason": " "}).status_code == 422
    assert not Event.objects.filter(object_id=anna.pk).exists()
    page = admin.post(page_of(anna, "reveal"), {"reason": "Просит сменить номер"})
    assert "+7 916 123-09-87" in page.content.decode().replace("\u00a0", " ")
    event = last_event(Action.PERSON_REVEALED)
    assert EventText.objects.get(pk=event.pk).text == "Просит сменить номер"
    assert "Просит сменить номер" in shown(admin, page_of(event))
    assert "123-09-87" not in shown(admin, page_of(anna))


def test_lifting_a_range_leaves_no_number_behind(admin: Browser) -> None:
    assert admin.post("/admin/accounts/user/lift-range/", {"phone": PHONE}).status_code == 302
    event = last_event(Action.RANGE_LIFTED)
    assert PHONE not in f"{event.data} {event.fields}"


def test_the_admins_own_log_holds_no_personal_data(admin: Browser, anna: User) -> None:
    for name in ("make-head", "make-agent", "disable", "enable", "clear", "end-sessions"):
        admin.post(page_of(anna, name))
    admin.post(page_of(anna, "rename"), {"name": "Ещё Неповторимей"})
    admin.post(page_of(anna, "reveal"), {"reason": "Надо"})
    kept = " ".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all())
    assert LogEntry.objects.exists()
    assert "Неповтор" not in kept
    assert PHONE[-7:] not in kept


def test_pages_of_the_admin_are_strict_about_what_they_load(admin: Browser) -> None:
    page = admin.get("/admin/")
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]
    assert "<style" not in page.content.decode()


def test_the_admin_speaks_english_too(admin: Browser) -> None:
    admin.post("/language/", {"language": "en", "next": "/admin/"})
    assert "Agencies" in shown(admin, "/admin/")


# --- keys of programs ------------------------------------------------------------------------------------------------


@pytest.fixture
def key(anna: User) -> ShownKey:
    """A key that the head of Anna's agency has made."""
    return make_key(User.objects.get(role=Role.HEAD), ["deals:read"], name="Бухгалтерия")


def test_staff_see_keys_and_no_token(admin: Browser, key: ShownKey) -> None:
    text = shown(admin, "/admin/accounts/apikey/") + shown(admin, page_of(key.key))
    for told in ("Бухгалтерия", "Ключ", "deals:read", key.token[:18]):
        assert told in text, told
    assert key.token[18:-6] not in text


def test_staff_find_a_leaked_key_without_the_token_in_an_address_and_end_it(admin: Browser, key: ShownKey) -> None:
    found = admin.post("/admin/accounts/apikey/find/", {"token": f" {key.token} "})
    assert found["Location"] == page_of(key.key)
    assert last_event(Action.ADMIN_ACTION).data == {"what": "key.searched", "found": True}
    assert admin.post(page_of(key.key, "revoke")).status_code == 302
    assert keys.key_of_token(key.token) is None
    event = last_event(Action.KEY_REVOKED)
    assert (event.actor_kind, event.agency_id, event.object_id) == ("staff", key.key.agency_id, key.key.pk)
    assert admin.post(page_of(key.key, "revoke")).status_code == 404, "it has ended"


@pytest.mark.parametrize("typed", ["", "lk_live_", "lk_live_\x00", "lk_live_" + "a" * 46, "Бухгалтерия", "x" * 101])
def test_what_begins_no_key_finds_none(admin: Browser, key: ShownKey, typed: str) -> None:
    assert admin.post("/admin/accounts/apikey/find/", {"token": typed}).status_code == 422


def test_the_audit_leads_to_the_key_that_did_it(admin: Browser, key: ShownKey) -> None:
    program(key.token).get("/api/v1/key")
    assert page_of(key.key) in shown(admin, f"/admin/accounts/event/?actor={key.key.pk}")
