"""Sessions: which cookie opens what, when they end, and the list of devices."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Event, Session, UserKind
from accounts.models.base import hash_of
from accounts.services import people, sessions
from accounts.services.session_store import SessionStore, row_of
from accounts.tests.clock import clock
from accounts.tests.logging_in import post_json, signed_in
from accounts.tests.people import make_agency, make_agent, make_staff, staff_actor

__all__ = ["clock"]
pytestmark = pytest.mark.django_db
LIST = "/api/v1/me/sessions"


@pytest.fixture
def anna():
    return make_agent()


def open_one(user, *, own_device: bool = False) -> sessions.OpenSession:
    return sessions.open_session(user, own_device=own_device, browser="curl/8", actor=Actor.nobody(address="192.0.2.1"))


def is_live(key: str, kind: str = UserKind.AGENT) -> bool:
    return SessionStore(key, kind).user is not None


def test_the_table_keeps_a_hash_of_the_id_and_never_the_id(anna):
    opened = open_one(anna)
    assert len(opened.key) >= 43, "256 bits"
    assert bytes(Session.objects.get().key_hash) == hash_of(opened.key)
    assert opened.key not in json.dumps(list(Session.objects.values_list("id", "browser", "address")), default=str)


def test_one_statement_gives_session_person_and_agency(anna, django_assert_num_queries):
    opened = open_one(anna)
    with django_assert_num_queries(1):
        row = row_of(opened.key)
        assert row is not None
        assert (row.user, row.user.name, str(row.user.agency)) == (anna, anna.name, "Ключ")


@pytest.mark.parametrize(
    ("own_device", "idle", "life"),
    [(False, timedelta(hours=8), timedelta(days=7)), (True, timedelta(days=7), timedelta(days=30))],
)
def test_an_agents_session_ends_when_idle_and_after_its_life(anna, clock, own_device, idle, life):
    opened = open_one(anna, own_device=own_device)
    clock.forward(seconds=idle.total_seconds() - 1)
    assert is_live(opened.key)
    clock.forward(seconds=idle.total_seconds() - 1)
    assert is_live(opened.key)
    clock.forward(seconds=idle.total_seconds())
    assert not is_live(opened.key)
    used = open_one(anna, own_device=own_device)
    for _ in range(int(life / idle)):
        clock.forward(seconds=idle.total_seconds() - 1)
        assert is_live(used.key)
    clock.now = used.row.expires_at - timedelta(seconds=1)
    assert is_live(used.key)
    assert used.row.expires_at == used.row.created_at + life
    clock.forward(seconds=1)
    assert not is_live(used.key)


def test_a_staff_session_idles_15_minutes_and_lives_8_hours(clock):
    staff = make_staff()
    opened = open_one(staff)
    clock.forward(minutes=15)
    assert not is_live(opened.key, UserKind.STAFF)
    used = open_one(staff)
    for _ in range(8 * 6 - 1):
        clock.forward(minutes=10)
        assert is_live(used.key, UserKind.STAFF)
    clock.forward(minutes=10)
    assert not is_live(used.key, UserKind.STAFF)


def test_last_seen_is_written_at_most_once_a_minute(anna, clock):
    opened = open_one(anna)
    began = clock.now
    for seconds, seen in ((59, began), (1, began + timedelta(seconds=60)), (30, began + timedelta(seconds=60))):
        clock.forward(seconds=seconds)
        assert is_live(opened.key)
        assert Session.objects.get().seen_at == seen


def test_a_clock_that_steps_back_ends_no_session(anna, clock):
    opened = open_one(anna)
    clock.forward(hours=-3)
    assert is_live(opened.key)
    assert Session.objects.get().seen_at == clock.now


def test_a_request_costs_one_statement_for_who_asks(anna):
    caller = signed_in(anna)
    caller.get("/login/")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert caller.get("/login/").status_code == 302
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as asked:
        assert Client().get("/login/").status_code == 200
    assert len(asked) == 0, "nobody costs none"


def test_the_eleventh_session_ends_the_oldest(anna, clock):
    opened = []
    for _ in range(11):
        opened.append(open_one(anna))
        clock.forward(minutes=1)
    assert [is_live(one.key) for one in opened] == [False] + [True] * 10
    assert Event.objects.filter(action="session.ended", data__why="too_many").count() == 1


def test_the_admins_cookie_opens_nothing_for_agents_and_the_agents_none_of_the_admin(anna):
    staff = make_staff()
    for cookie in (settings.SESSION_COOKIE_NAME, settings.ADMIN_COOKIE_NAME):
        caller = Client()
        caller.cookies[cookie] = open_one(staff).key
        assert caller.get(LIST).status_code == 401
        assert caller.get("/devices/").status_code == 302
    agent = Client()
    agent.cookies[settings.ADMIN_COOKIE_NAME] = open_one(anna).key
    assert agent.get(LIST).status_code == 401
    assert agent.get("/admin/").status_code == 302


def test_a_key_makes_cookies_ignored(anna):
    caller = signed_in(anna)
    assert caller.get(LIST).status_code == 200
    assert caller.get(LIST, headers={"Authorization": "Bearer lk_live_x"}).status_code == 401


@pytest.mark.parametrize("key", ["", "x", "x" * 500, "é", "\x00"])
def test_what_is_no_session_is_nobody(key):
    assert not is_live(key)


# --- the list of devices, through both doors


def end_by_page(caller: Client, session_id) -> int:
    form = {"csrfmiddlewaretoken": caller.cookies[settings.CSRF_COOKIE_NAME].value}
    return caller.post(f"/devices/{session_id}/end/", form).status_code


def end_by_api(caller: Client, session_id) -> int:
    token = caller.cookies[settings.CSRF_COOKIE_NAME].value
    return caller.delete(f"{LIST}/{session_id}", headers={"X-CSRFToken": token}).status_code


@pytest.mark.parametrize(("end", "done"), [(end_by_page, 302), (end_by_api, 204)])
def test_a_lost_phone_is_ended_from_another_device(anna, end, done):
    lost, caller = open_one(anna), signed_in(anna)
    assert end(caller, lost.row.pk) == done
    assert not is_live(lost.key)
    assert caller.get(LIST).json()["items"][0]["is_current"]
    event = Event.objects.get(action="session.ended")
    assert (event.actor_id, event.object_id, event.agency_id) == (anna.pk, lost.row.pk, anna.agency_id)


@pytest.mark.parametrize(("end", "refused"), [(end_by_page, 302), (end_by_api, 404)])
def test_nobody_ends_a_session_of_another_person(anna, end, refused):
    boris = make_agent(anna.agency)
    his = open_one(boris)
    assert end(signed_in(anna), his.row.pk) == refused
    assert end(signed_in(anna), uuid4()) == refused
    assert is_live(his.key)


def test_all_others_are_ended_at_once(anna):
    others = [open_one(anna) for _ in range(3)]
    caller = signed_in(anna)
    assert post_json(caller, "/me/sessions/end-others", None).status_code == 204
    assert [is_live(one.key) for one in others] == [False] * 3
    assert len(caller.get(LIST).json()["items"]) == 1


def test_devices_are_named_as_people_know_them(anna):
    header = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
    sessions.open_session(anna, own_device=True, browser=header, actor=Actor.nobody(address="192.0.2.1"))
    page = signed_in(anna).get("/devices/").content.decode()
    assert "Chrome, Android" in page
    assert "192.0.2.1" in page


def test_logout_deletes_the_session_and_clears_what_the_browser_kept(anna):
    caller = signed_in(anna)
    out = caller.post("/logout/", {"csrfmiddlewaretoken": caller.cookies[settings.CSRF_COOKIE_NAME].value})
    assert (out.status_code, out["Location"]) == (302, "/login/")
    assert out["Clear-Site-Data"] == '"cache", "storage"'
    assert out.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == 0
    assert Session.objects.count() == 0
    assert Event.objects.filter(action="session.ended", data__why="logout").count() == 1


def test_a_program_logs_out(anna):
    caller = signed_in(anna)
    out = post_json(caller, "/auth/logout", None)
    assert (out.status_code, out.content, out["Clear-Site-Data"]) == (204, b"", '"cache", "storage"')
    assert Session.objects.count() == 0


def test_nobody_is_logged_out_by_a_link(anna):
    caller = signed_in(anna)
    assert caller.get("/logout/").status_code == 405
    assert caller.post("/logout/").status_code == 403
    assert Session.objects.live(timezone.now()).count() == 1


def test_disabling_a_person_ends_sessions_at_once(anna):
    opened, caller = open_one(anna), signed_in(anna)
    make_agent(anna.agency, role="head")
    people.disable_agent(anna.pk, actor=staff_actor())
    assert not is_live(opened.key)
    assert caller.get(LIST).status_code == 401


# --- what stays of an ended one


def test_an_ended_session_still_tells_whose_it_was_for_a_day(anna, clock):
    opened = open_one(anna)
    sessions.end_all(anna.pk, actor=Actor.system())
    store = SessionStore(opened.key)
    assert (store.user, store.former_user_id) == (None, anna.pk)
    sessions.sweep(timezone.now())
    clock.forward(hours=23)
    sessions.sweep(timezone.now())
    assert SessionStore(opened.key).user is None
    assert Session.objects.count() == 1
    clock.forward(hours=2)
    sessions.sweep(timezone.now())
    assert Session.objects.count() == 0


def test_sweeps_delete_what_idled_out_a_day_ago_and_nothing_that_lives(anna, clock):
    gone, kept = open_one(anna), open_one(anna, own_device=True)
    clock.forward(hours=33)
    sessions.sweep(timezone.now())
    assert [row.pk for row in Session.objects.all()] == [kept.row.pk]
    assert row_of(gone.key) is None


def test_messages_wait_in_the_session_sealed(anna):
    caller = signed_in(anna)
    lost = open_one(anna)
    caller.post(
        f"/devices/{lost.row.pk}/end/", {"csrfmiddlewaretoken": caller.cookies[settings.CSRF_COOKIE_NAME].value}
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT data FROM {Session._meta.db_table}")
        assert not any(b"session" in bytes(data).lower() for (data,) in cursor.fetchall())
    assert "flash" in caller.get("/devices/").content.decode()


def test_nobodys_session_is_never_stored():
    store = SessionStore(None)
    store["anything"] = 1
    store.save()
    assert Session.objects.count() == 0


def test_djangos_own_login_makes_a_session_too(anna):
    caller = Client()
    caller.force_login(anna, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert caller.get(LIST).status_code == 200


# --- language and time


@pytest.mark.parametrize(
    ("person", "cookie", "header", "spoken"),
    [
        ("en", "ru", "ru", "en"),
        ("", "en", "ru", "en"),
        ("", "", "en-GB,en;q=0.9", "en"),
        ("", "", "de", "ru"),
        ("", "", "", "ru"),
        ("", "xx", "en", "en"),
    ],
)
def test_the_persons_language_comes_first_then_the_cookie_then_the_browser(person, cookie, header, spoken):
    caller = signed_in(make_agent(make_agency(), language=person))
    if cookie:
        caller.cookies[settings.LANGUAGE_COOKIE_NAME] = cookie
    page = caller.get("/devices/", headers={"Accept-Language": header})
    assert page["Content-Language"] == spoken
    assert {"Cookie", "Accept-Language"} <= {name.strip() for name in page["Vary"].split(",")}


def test_times_are_shown_in_the_persons_zone(clock):
    caller = signed_in(make_agent(time_zone="Asia/Vladivostok", language="ru"))
    clock.now = clock.now.replace(hour=1, minute=5)
    other = open_one(make_agent(time_zone="No/Where"))
    assert is_live(other.key)
    sessions.open_session(
        caller_user(caller), own_device=False, browser="curl/8", actor=Actor.nobody(address="192.0.2.1")
    )
    assert "11:05" in caller.get("/devices/").content.decode()


def caller_user(caller: Client):
    return SessionStore(caller.cookies[settings.SESSION_COOKIE_NAME].value).user
