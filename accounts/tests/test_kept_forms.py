from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import KeptForm, User
from accounts.services import kept_forms, sessions
from accounts.tests.logging_in import log_in
from accounts.tests.people import make_agent, sign_in

pytestmark = pytest.mark.django_db
HOST = "http://testserver"
TYPED = {"name": "Мария Неотправленная", "language": "", "time_zone": "Europe/Moscow", "theme": "system"}


@pytest.fixture
def anna(db: None) -> User:
    return make_agent()


@pytest.fixture
def client(anna: User) -> Client:
    """Anna's browser."""
    client = Client(headers={"Referer": f"{HOST}/profile/"})
    sign_in(client, anna, settings.SESSION_COOKIE_NAME)
    return client


def end_sessions(user: User) -> None:
    sessions.end_all(user.pk, actor=Actor.system())


def log_in_again(client: Client, user: User) -> None:
    sign_in(client, user, settings.SESSION_COOKIE_NAME)


def shown(client: Client, path: str = "/profile/") -> str:
    return client.get(path).content.decode()


def test_a_form_posted_into_an_ended_session_comes_back_filled_and_not_sent(client: Client, anna: User) -> None:
    end_sessions(anna)
    lost = client.post("/profile/", TYPED)
    assert lost["Location"] == "/login/?next=/profile/"
    assert client.cookies[settings.KEPT_COOKIE_NAME]["httponly"]
    log_in_again(client, anna)
    assert "Мария Неотправленная" in shown(client)
    assert "Мария Неотправленная" in shown(client), "a second look finds it too"
    assert User.objects.get(pk=anna.pk).name == "Анна Агеева"


def test_what_is_kept_is_sealed(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    with connection.cursor() as cursor:
        cursor.execute(f"select body from {KeptForm._meta.db_table}")
        (body,) = cursor.fetchone()
    assert "Неотправленная".encode() not in bytes(body)
    assert "Неотправленная" in (KeptForm.objects.get().body or "")


def test_once_sent_it_is_forgotten(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    log_in_again(client, anna)
    assert client.post("/profile/", TYPED | {"name": ""}).status_code == 422
    assert KeptForm.objects.exists()
    client.post("/profile/", TYPED)
    assert not KeptForm.objects.exists()


def test_a_session_that_idled_out_keeps_its_form_too(client: Client, anna: User) -> None:
    past = timezone.now() - timedelta(minutes=1)
    anna.sessions.update(idle_until=past)
    client.post("/profile/", TYPED)
    assert KeptForm.objects.get().user_id == anna.pk


def test_another_person_never_sees_it(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    log_in_again(client, make_agent(name="Борис"))
    assert "Неотправленная" not in shown(client)


def test_anyone_elses_login_deletes_it(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    boris = make_agent(name="Борис")
    assert log_in(client, boris.phone or "").status_code == 200
    assert not KeptForm.objects.exists()


def test_ones_own_login_keeps_it(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    assert log_in(client, anna.phone or "").status_code == 200
    assert "Неотправленная" in shown(client)


def test_another_browser_of_the_same_person_does_not_see_it(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    other = Client()
    log_in_again(other, anna)
    assert "Неотправленная" not in shown(other)


def test_it_is_kept_for_an_hour(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    KeptForm.objects.update(created_at=timezone.now() - settings.KEPT_FORM_LIFE)
    log_in_again(client, anna)
    assert "Неотправленная" not in shown(client)
    kept_forms.sweep(timezone.now())
    assert not KeptForm.objects.exists()


def test_who_logged_out_leaves_nothing(client: Client, anna: User) -> None:
    client.post("/logout/")
    client.post("/profile/", TYPED)
    assert not KeptForm.objects.exists()


def test_nobody_can_keep_a_form_for_a_person_without_his_ended_session() -> None:
    Client().post("/profile/", TYPED)
    assert not KeptForm.objects.exists()


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example"}]
)
def test_a_form_of_another_site_is_not_kept(client: Client, anna: User, headers: dict[str, str]) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED, headers=headers)
    assert not KeptForm.objects.exists()


@pytest.mark.parametrize("path", ["/login/", "/login/code/", "/language/", "/admin/login/", "/api/v1/me", "/nowhere/"])
def test_login_and_what_is_no_page_are_never_kept(client: Client, anna: User, path: str) -> None:
    end_sessions(anna)
    client.post(path, TYPED | {"phone": "79161112233", "code": "123456"})
    assert not KeptForm.objects.exists()


def test_files_are_not_kept(client: Client, anna: User) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    end_sessions(anna)
    client.post("/profile/", TYPED | {"file": SimpleUploadedFile("a.txt", b"a")})
    assert not KeptForm.objects.exists()


def test_a_broken_body_is_not_kept_and_breaks_nothing(client: Client, anna: User) -> None:
    end_sessions(anna)
    answer = client.post("/profile/", b"--x\r\n", content_type="multipart/form-data; boundary=\x01")
    assert answer.status_code < 500
    assert not KeptForm.objects.exists()


def test_a_person_fills_no_table(client: Client, anna: User) -> None:
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    end_sessions(anna)
    for number in range(kept_forms.KEPT_AT_MOST + 3):
        browser = Client()
        browser.cookies[settings.SESSION_COOKIE_NAME] = key
        browser.post("/profile/", TYPED | {"name": f"Мария {number}"})
    assert KeptForm.objects.count() == kept_forms.KEPT_AT_MOST


def test_two_forms_of_one_browser_are_both_kept(client: Client, anna: User) -> None:
    end_sessions(anna)
    client.post("/profile/", TYPED)
    client.post("/deals/new/", {"client_name": "Пётр Незабытый"}, headers={"Referer": f"{HOST}/deals/new/"})
    log_in_again(client, anna)
    assert "Мария Неотправленная" in shown(client)
    assert "Пётр Незабытый" in shown(client, "/deals/new/")


def test_a_fragment_is_sent_to_the_login_and_kept(client: Client, anna: User) -> None:
    end_sessions(anna)
    lost = client.post("/profile/", TYPED, headers={"HX-Request": "true", "HX-Current-URL": f"{HOST}/profile/"})
    assert (lost.status_code, lost["HX-Redirect"]) == (401, "/login/?next=/profile/")
    assert KeptForm.objects.get().page == "/profile/"


# --- an old CSRF token -----------------------------------------------------------------------------------------------


@pytest.fixture
def strict(anna: User) -> Client:
    client = Client(enforce_csrf_checks=True, headers={"Referer": f"{HOST}/profile/"})
    sign_in(client, anna, settings.SESSION_COOKIE_NAME)
    client.get("/profile/")
    return client


def post_with_old_token(client: Client, path: str = "/profile/", **headers: str) -> Any:
    return client.post(path, TYPED | {"csrfmiddlewaretoken": "a" * 64}, headers=headers)


def test_a_form_with_an_old_token_is_shown_filled_with_a_fresh_one_and_not_sent(strict: Client, anna: User) -> None:
    page = post_with_old_token(strict)
    text = page.content.decode()
    assert page.status_code == 403
    assert "Мария Неотправленная" in text
    assert User.objects.get(pk=anna.pk).name == "Анна Агеева"
    token = text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    sent = strict.post("/profile/", TYPED | {"csrfmiddlewaretoken": token})
    assert sent.status_code == 302
    assert User.objects.get(pk=anna.pk).name == "Мария Неотправленная"


def test_a_button_with_an_old_token_is_refused_and_its_page_shown(strict: Client) -> None:
    page = strict.post("/theme/", {"theme": "dark"}, headers={"Referer": f"{HOST}/more/"})
    assert page.status_code == 403
    assert "theme" in page.content.decode()


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "none"}, {"Referer": "https://evil.example/"}])
def test_what_does_not_come_from_our_page_is_only_refused(strict: Client, headers: dict[str, str]) -> None:
    page = post_with_old_token(strict, "/theme/", **headers)
    assert page.status_code == 403
    assert "Неотправленная" not in page.content.decode()


def test_a_fragment_with_an_old_token_goes_to_its_page_with_the_text(strict: Client) -> None:
    where = {"HX-Request": "true", "HX-Current-URL": f"{HOST}/profile/"}
    answer = post_with_old_token(strict, **where)
    assert (answer.status_code, answer["HX-Redirect"]) == (403, "/profile/")
    assert "Мария Неотправленная" in shown(strict)


def test_nobody_with_an_old_token_is_refused() -> None:
    page = Client(enforce_csrf_checks=True).post("/login/", {"phone": "79161112233"})
    assert page.status_code == 403
    assert "79161112233" not in page.content.decode()
