"""An authenticator app of an agent: added, asked for by the login and before dangerous actions, lost, removed."""

from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from accounts.actor import Actor
from accounts.models import Action, AgentBackupCode, AgentTotp, Event, PendingLogin, Role, Session, SmsMessage, User
from accounts.services import factors, login_limits, outbox, people, second_factor, step_up, sweeps, totp
from accounts.services.codes import SEGMENT
from accounts.services.entry import CodeRefused
from accounts.services.factors import TOLD
from accounts.services.step_up import FreshCodeRequired
from accounts.tests.authenticators import app_code, with_app
from accounts.tests.clock import Clock, clock
from accounts.tests.logging_in import (
    ADDRESS,
    Tray,
    ask_for_code,
    give_code,
    other_than,
    post_json,
    sent_code,
    sent_codes,
    signed_in,
)
from accounts.tests.people import make_agent, make_staff, sign_in, staff_actor
from accounts.tests.programs import confirmed, make_key, program
from accounts.tests.side_by_side import side_by_side
from lk_site.errors import Invalid, NotAllowed

__all__ = ["clock"]
pytestmark = pytest.mark.django_db
ANNA = "79169990011"


@pytest.fixture
def anna() -> User:
    return make_agent(phone=ANNA)


@pytest.fixture
def client(anna: User) -> Client:
    return signed_in(anna)


@pytest.fixture
def fresh(client: Client) -> Client:
    """Anna's browser, just after a code has confirmed its session."""
    confirm(client)
    return client


def confirm(client: Client) -> None:
    post_json(client, "/auth/step-up", None)
    assert post_json(client, "/auth/step-up/verify", {"code": sent_code(ANNA)}).status_code == 204


def post_page(client: Client, path: str, **form: Any) -> Any:
    return client.post(path, {"csrfmiddlewaretoken": client.cookies[settings.CSRF_COOKIE_NAME].value, **form})


def delete(client: Client, path: str) -> Any:
    headers = {"X-CSRFToken": client.cookies[settings.CSRF_COOKIE_NAME].value}
    return client.delete(f"/api/v1{path}", headers=headers)


def add_on_pages(client: Client, user: User) -> list[str]:
    assert post_page(client, "/protection/app/begin/")["Location"] == "/protection/app/"
    page = client.get("/protection/app/").content.decode()
    assert "data:image/svg+xml" in page
    assert AgentTotp.objects.get().secret in page.replace(" ", "")
    page = post_page(client, "/protection/app/", code=app_code(user)).content.decode()
    return page.split('aria-labelledby="token-name">')[1].split("</pre>")[0].split()


def add_by_api(client: Client, user: User) -> list[str]:
    begun = post_json(client, "/me/factors/totp", None)
    assert begun.status_code == 201, begun.content
    assert begun.json()["enrolment"]["secret"] == AgentTotp.objects.get().secret
    codes: list[str] = post_json(client, "/me/factors/totp/confirm", {"code": app_code(user)}).json()["backup_codes"]
    return codes


ADD = pytest.mark.parametrize("add", [add_on_pages, add_by_api])


def second_on_page(client: Client, code: str) -> Any:
    return post_page(client, "/login/second/", code=code)


def second_by_api(client: Client, code: str) -> Any:
    return post_json(client, "/auth/verify-second-factor", {"code": code})


SECOND = pytest.mark.parametrize("second", [second_on_page, second_by_api])


def half_in(phone: str = ANNA) -> Client:
    """A browser that has just proved the phone of who has an app."""
    client = asked(phone)
    answer = give_code(client, phone, sent_codes(phone)[-1])
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")
    return client


def asked(phone: str = ANNA) -> Client:
    """A browser that a code was sent to, however many were sent just before."""
    login_limits.clear_phone(phone)
    client = Client(enforce_csrf_checks=True)
    ask_for_code(client, phone)
    return client


def is_in(client: Client) -> bool:
    return bool(client.get("/more/").status_code == 200)


def actions(user: User) -> list[str]:
    return list(Event.objects.filter(object_id=user.pk).order_by("seq").values_list("action", flat=True))


def notices(phone: str = ANNA) -> list[str]:
    tray = Tray()
    while outbox.deliver(tray):
        pass
    return [sms.text for sms in tray.sent if sms.phone == phone and "#" not in sms.text]


# --- adding


@ADD
def test_an_app_is_added_after_a_fresh_code_and_the_agent_is_told(fresh: Client, anna: User, add: Any):
    codes = add(fresh, anna)
    assert len(set(codes)) == 10
    assert fresh.get("/api/v1/me/factors").json()["backup_codes_left"] == 10
    assert AgentTotp.objects.get().confirmed_at is not None
    assert Action.FACTOR_ADDED in actions(anna)
    assert len(notices()) == 1
    assert Event.objects.filter(action=Action.NOTICE_SENT, object_id=anna.pk).count() == 1


def test_without_a_fresh_code_nothing_is_begun_shown_or_removed(client: Client, anna: User):
    assert post_json(client, "/me/factors/totp", None).json()["code"] == "fresh_code_required"
    assert client.get("/protection/app/")["Location"] == "/step-up/?next=%2Fprotection%2Fapp%2F"
    AgentTotp(user=anna, secret=totp.new_secret()).save()
    assert post_json(client, "/me/factors/totp/confirm", {"code": app_code(anna)}).status_code == 403
    assert client.get("/protection/app/").status_code == 302
    AgentTotp.objects.all().delete()
    with_app(anna)
    assert delete(client, "/me/factors/totp").json()["code"] == "fresh_code_required"
    assert post_json(client, "/me/factors/backup-codes", None).json()["code"] == "fresh_code_required"
    assert post_page(client, "/protection/app/remove/")["Location"].startswith("/step-up/")
    assert AgentBackupCode.objects.filter(used_at=None).count() == 10


def test_a_secret_that_no_app_confirmed_opens_nothing_and_is_deleted(fresh: Client, anna: User, clock: Clock):
    factors.begin_totp(actor=confirmed(anna))
    assert post_json(fresh, "/me/factors/totp/confirm", {"code": other_than(app_code(anna))}).status_code == 400
    answer = post_page(fresh, "/protection/app/", code="12345")
    assert (answer.status_code, 'aria-invalid="true"' in answer.content.decode()) == (422, True)
    assert give_code(asked(), ANNA, sent_codes(ANNA)[-1]).status_code == 200
    clock.forward(hours=1, seconds=1)
    sweeps.run(clock.now)
    assert not AgentTotp.objects.exists()


def test_begun_twice_the_last_secret_counts(fresh: Client, anna: User):
    first = post_json(fresh, "/me/factors/totp", None).json()["enrolment"]["secret"]
    assert post_json(fresh, "/me/factors/totp", None).json()["enrolment"]["secret"] != first
    assert AgentTotp.objects.count() == 1
    add_by_api(fresh, anna)
    assert post_json(fresh, "/me/factors/totp", None).json()["code"] == "totp_exists"
    assert post_page(fresh, "/protection/app/begin/")["Location"] == "/protection/"
    assert fresh.get("/protection/app/")["Location"] == "/protection/"


def test_a_repeat_with_the_same_key_shows_no_secret_again(fresh: Client, anna: User):
    key = {"Idempotency-Key": "begin"}
    assert post_json(fresh, "/me/factors/totp", None, **key).json()["enrolment"]
    assert post_json(fresh, "/me/factors/totp", None, **key).json() == {"enrolment": None}


def test_programs_staff_and_nobody_have_no_factors(anna: User):
    key = make_key(make_agent(role=Role.HEAD))
    assert program(key.token).get("/api/v1/me/factors").status_code == 403
    with pytest.raises(NotAllowed):
        factors.factors_of(staff_actor())
    with pytest.raises(NotAllowed):
        factors.begin_totp(actor=staff_actor())


# --- logging in


@SECOND
def test_the_login_asks_for_the_app_after_the_sms(anna: User, second: Any):
    with_app(anna)
    browser = half_in()
    assert not is_in(browser)
    assert not Session.objects.exists()
    assert second(browser, app_code(anna)).status_code in (200, 302)
    assert is_in(browser)
    assert settings.DEVICE_COOKIE_NAME in browser.cookies


def test_the_page_of_the_sms_leads_to_that_of_the_app_and_on(anna: User):
    with_app(anna)
    browser = Client()
    browser.post("/login/", {"phone": ANNA, "next": "/clients/"})
    answer = browser.post("/login/code/", {"code": sent_code(ANNA), "own_device": "on", "next": "/clients/"})
    assert answer["Location"] == "/login/second/?next=%2Fclients%2F"
    page = browser.get(answer["Location"]).content.decode()
    assert 'name="next" value="/clients/"' in page
    assert "with=backup" in page
    assert browser.post("/login/second/", {"code": app_code(anna), "next": "/clients/"})["Location"] == "/clients/"
    assert Session.objects.get().is_own_device


def test_without_the_first_half_there_is_no_second(anna: User):
    with_app(anna)
    browser = asked()
    assert second_by_api(browser, app_code(anna)).status_code == 400
    assert browser.get("/login/second/")["Location"] == "/login/"
    assert second_on_page(browser, app_code(anna))["Location"] == "/login/"
    assert give_code(browser, ANNA, sent_code(ANNA)).status_code == 403, "the code of the app was not used up"


@SECOND
def test_a_code_of_the_app_opens_once(anna: User, second: Any):
    with_app(anna)
    code = app_code(anna)
    first, other = half_in(), half_in()
    assert second(first, code).status_code in (200, 302)
    assert second(other, code).status_code == 400
    assert not is_in(other)
    assert second(other, app_code(anna, steps=1)).status_code in (200, 302)


@SECOND
def test_a_back_up_code_stands_for_the_app_once(anna: User, second: Any):
    code = with_app(anna)[3]
    browser, other = half_in(), half_in()
    assert second(browser, f" {code.upper()} ").status_code in (200, 302)
    assert is_in(browser)
    assert second(other, code).status_code == 400
    assert Event.objects.get(action=Action.BACKUP_CODE_USED).data == {"left": 9}


def test_the_page_takes_a_back_up_code_in_a_field_of_letters(anna: User):
    codes = with_app(anna)
    browser = half_in()
    page = browser.get("/login/second/?with=backup").content.decode()
    assert "data-code" not in page
    refused = post_page(browser, "/login/second/", code="abcde-fghjk", **{"with": "backup"})
    assert (refused.status_code, 'name="with" value="backup"' in refused.content.decode()) == (400, True)
    assert post_page(browser, "/login/second/", code=codes[0], **{"with": "backup"}).status_code == 302


def test_a_login_has_five_looks_and_then_begins_anew(anna: User):
    with_app(anna)
    browser = half_in()
    for number in range(5):
        assert second_by_api(browser, other_than(app_code(anna), number=number)).status_code == 400
    assert second_by_api(browser, app_code(anna)).status_code == 400
    assert PendingLogin.objects.get().attempts == 5, "the tries were counted, though each was refused"
    assert Event.objects.filter(action=Action.LOGIN_FAILED, object_id=anna.pk).count() == 1


def test_ten_failures_of_an_hour_lock_the_app_out_of_the_login_but_not_its_owner_out_of_his_session(
    anna: User, client: Client
):
    codes = with_app(anna)
    for _login in range(2):
        browser = half_in()
        for number in range(5):
            second_by_api(browser, other_than(app_code(anna), number=number))
    assert second_by_api(half_in(), app_code(anna)).status_code == 400
    assert second_by_api(half_in(), codes[0]).status_code == 400
    people.clear_counters(anna.pk, actor=staff_actor())
    assert second_by_api(half_in(), codes[0]).status_code == 200
    assert post_json(client, "/auth/step-up/verify", {"code": app_code(anna)}).status_code == 204


def test_the_second_half_lives_five_minutes(anna: User, clock: Clock):
    with_app(anna)
    browser = half_in()
    clock.forward(minutes=5)
    assert second_by_api(browser, app_code(anna)).status_code == 400
    assert browser.get("/login/second/").status_code == 302
    sweeps.run(clock.now)
    clock.forward(seconds=1)
    sweeps.run(clock.now)
    assert not PendingLogin.objects.exists()


def test_who_is_disabled_between_the_halves_stays_out(anna: User):
    with_app(anna)
    browser = half_in()
    User.objects.update(is_active=False)
    assert second_by_api(browser, app_code(anna)).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_of_many_right_codes_at_once_one_opens_a_session(anna: User):
    with_app(anna)
    token, code = half_in().cookies[settings.CHALLENGE_COOKIE_NAME].value, app_code(anna)

    def enter(number: int) -> bool:
        try:
            second_factor.verify_code(code, token=token, browser="", actor=Actor.nobody(address=ADDRESS))
        except CodeRefused:
            return False
        return True

    assert sorted(side_by_side(6, enter)) == [False] * 5 + [True]
    assert Session.objects.count() == 1


# --- before dangerous actions


def test_who_has_an_app_confirms_with_it_and_gets_no_sms(client: Client, anna: User):
    with_app(anna)
    assert post_json(client, "/auth/step-up", None).json() == {"resend_after_s": 0, "by": "totp"}
    assert post_page(client, "/step-up/", send="1").status_code == 302
    assert not SmsMessage.objects.exists()
    assert post_json(client, "/auth/step-up/verify", {"code": other_than(app_code(anna))}).status_code == 400
    page = client.get("/step-up/?next=/protection/").content.decode()
    assert 'name="send"' not in page
    answer = post_page(client, "/step-up/", code=app_code(anna), next="/protection/")
    assert answer["Location"] == "/protection/"
    assert delete(client, "/me/factors/totp").status_code == 204


def test_a_back_up_code_confirms_too(client: Client, anna: User):
    codes = with_app(anna)
    assert "data-code" not in client.get("/step-up/?with=backup").content.decode()
    assert post_page(client, "/step-up/", code=codes[0], **{"with": "backup"}).status_code == 302
    assert delete(client, "/me/factors/totp").status_code == 204


def test_a_code_of_an_sms_confirms_nothing_once_there_is_an_app(client: Client, anna: User):
    post_json(client, "/auth/step-up", None)
    with_app(anna)
    code = sent_code(ANNA)
    if code != app_code(anna):
        assert post_json(client, "/auth/step-up/verify", {"code": code}).status_code == 400
    with pytest.raises(FreshCodeRequired):
        step_up.require_fresh_code(Actor.nobody(address=ADDRESS))


# --- changing and losing


def test_new_back_up_codes_end_the_old_ones(client: Client, anna: User):
    old = with_app(anna)
    post_json(client, "/auth/step-up/verify", {"code": old[0]})
    key = str(uuid4())
    assert post_page(client, "/protection/backup-codes/", form_key=key).status_code == 200
    assert post_page(client, "/protection/backup-codes/", form_key=key)["Location"] == "/protection/"
    assert post_page(client, "/protection/backup-codes/")["Location"] == "/protection/"
    assert Event.objects.filter(action=Action.FACTOR_CHANGED).count() == 1
    assert AgentBackupCode.objects.filter(used_at=None).count() == 10
    assert second_by_api(half_in(), old[1]).status_code == 400
    assert Action.FACTOR_CHANGED in actions(anna)


def test_a_removed_app_leaves_the_sms_alone(client: Client, anna: User):
    with_app(anna)
    post_json(client, "/auth/step-up/verify", {"code": app_code(anna)})
    assert post_page(client, "/protection/app/remove/")["Location"] == "/protection/"
    assert post_page(client, "/protection/app/remove/")["Location"] == "/protection/"
    assert not AgentBackupCode.objects.exists()
    assert give_code(asked(), ANNA, sent_codes(ANNA)[-1]).status_code == 200
    assert Action.FACTOR_REMOVED in actions(anna)


def test_staff_remove_a_lost_app_with_a_reason_and_the_agent_is_told(anna: User, client: Client):
    with_app(anna)
    admin = Client()
    sign_in(admin, make_staff(), settings.ADMIN_COOKIE_NAME)
    here = f"/admin/accounts/user/{anna.pk}/remove-factors/"
    assert admin.post(here).status_code == 422
    assert admin.post(here, {"reason": "Пришёл с паспортом"}).status_code == 302
    assert not AgentTotp.objects.exists()
    assert not is_in(client), "his sessions have ended"
    assert len(notices()) == 1
    told = Event.objects.get(action=Action.FACTOR_REMOVED)
    assert (told.actor_kind, bool(told.text_digest)) == ("staff", True)
    assert admin.get(here).status_code == 404


def test_only_staff_remove_the_app_of_another(anna: User):
    with pytest.raises(NotAllowed):
        factors.remove_factors(anna.pk, reason="просто так", actor=confirmed(make_agent()))
    with pytest.raises(Invalid):
        factors.remove_factors(anna.pk, reason=" ", actor=staff_actor())


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_notice_fits_one_sms(language: str):
    with translation.override(language):
        assert [text for text in map(str, TOLD.values()) if len(text) > SEGMENT] == []


def test_notices_of_a_day_are_bounded(anna: User):
    with_app(anna)
    for _change in range(12):
        factors.renew_backup_codes(actor=confirmed(anna))
    assert len(notices()) == 10
    assert Event.objects.filter(action=Action.FACTOR_CHANGED).count() == 12
