"""Login by code, through both doors: what opens, what does not, what is told, and what the browser gets to keep."""

import re
from http.cookies import Morsel
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.shortcuts import resolve_url
from django.test import Client

from accounts.models import Agency, Challenge, Event, Session, SmsMessage, User
from accounts.services import codes
from accounts.tests.clock import clock
from accounts.tests.logging_in import (
    ANNA,
    STRANGER,
    ask_for_code,
    give_code,
    known_phone,
    log_in,
    other_than,
    post_json,
    send,
    sent_code,
    verify,
)
from accounts.tests.people import make_agent
from lk_site.formats import mask_phone, phone_text

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def anna() -> User:
    return make_agent(phone=ANNA)


def post_page(client: Client, path: str, **form: str) -> Any:
    client.get("/login/")
    return client.post(path, {"csrfmiddlewaretoken": client.cookies[settings.CSRF_COOKIE_NAME].value, **form})


def ask_on_page(client: Client, phone: str) -> Any:
    return post_page(client, "/login/", phone=phone)


def ask_by_api(client: Client, phone: str) -> Any:
    return ask_for_code(client, phone)


def give_on_page(client: Client, phone: str, code: str) -> Any:
    return post_page(client, "/login/code/", code=code)


both_doors = pytest.mark.parametrize(
    ("ask", "give"), [(ask_on_page, give_on_page), (ask_by_api, give_code)], ids=["page", "api"]
)


# --- what opens


def test_a_program_logs_in_with_the_code_of_the_sms(visitor, anna):
    asked = ask_for_code(visitor)
    assert (asked.status_code, asked.json()) == (202, {"resend_after_s": 60})
    answer = give_code(visitor, ANNA, sent_code(ANNA))
    assert answer.status_code == 200
    assert answer.json()["user"]["id"] == str(anna.pk)
    assert answer.json()["user"]["phone_masked"] == mask_phone(ANNA)
    assert visitor.get("/api/v1/me/sessions").json()["items"][0]["is_current"] is True


def test_an_agent_logs_in_on_the_pages_and_comes_to_where_he_was_going(visitor, anna):
    sent = post_page(visitor, "/login/", phone="8 (916) 999-00-01", next="/deals/new/")
    assert (sent.status_code, sent["Location"]) == (302, "/login/code/?next=%2Fdeals%2Fnew%2F")
    page = visitor.get(sent["Location"]).content.decode()
    assert phone_text(ANNA) in page
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page
    entered = post_page(visitor, "/login/code/", code=f" {sent_code(ANNA)} ", next="/deals/new/")
    assert (entered.status_code, entered["Location"]) == (302, "/deals/new/")


def test_the_first_login_leads_to_name_and_consent(visitor):
    post_page(visitor, "/login/", phone=STRANGER)
    assert post_page(visitor, "/login/code/", code=sent_code(STRANGER))["Location"] == "/welcome/"


def test_the_first_code_of_an_unknown_phone_opens_an_agency_of_one(visitor):
    log_in(visitor, STRANGER)
    agent = User.objects.with_phone(STRANGER).get()
    assert agent.is_head
    assert Agency.objects.get().people.get() == agent
    actions = set(Event.objects.filter(agency_id=Agency.objects.get().pk).values_list("action", flat=True))
    assert {"agency.opened", "agent.added", "session.opened"} <= actions


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_to_another_site_after_login(visitor, anna, address):
    post_page(visitor, "/login/", phone=ANNA, next=address)
    assert post_page(visitor, "/login/code/", code=sent_code(ANNA), next=address)["Location"] == resolve_url(
        settings.LOGIN_REDIRECT_URL
    )


def test_who_is_logged_in_and_logs_in_again_leaves_the_session_he_had(visitor, anna, clock):
    log_in(visitor)
    old = visitor.cookies[settings.SESSION_COOKIE_NAME].value
    clock.forward(minutes=2)
    log_in(visitor)
    assert visitor.cookies[settings.SESSION_COOKIE_NAME].value != old
    assert Session.objects.count() == 1


# --- what does not


@both_doors
def test_a_wrong_code_is_refused_and_the_right_one_still_opens(visitor, anna, ask, give):
    ask(visitor, ANNA)
    code = sent_code(ANNA)
    refused = give(visitor, ANNA, other_than(code))
    assert refused.status_code == 400
    assert settings.SESSION_COOKIE_NAME not in refused.cookies
    assert give(visitor, ANNA, code).status_code in (200, 302)


def test_refusals_have_one_body(visitor, anna, clock):
    ask_for_code(visitor)
    code = sent_code(ANNA)
    bodies = [give_code(visitor, ANNA, other_than(code)).json(), give_code(visitor, STRANGER, code).json()]
    assert give_code(visitor, ANNA, code).status_code == 200
    bodies.append(give_code(visitor, ANNA, code).json())
    stranger = Client(enforce_csrf_checks=True)
    stranger.get("/login/")
    bodies.append(give_code(stranger, ANNA, code).json())
    clock.forward(minutes=6)
    bodies.append(give_code(visitor, ANNA, code).json())
    for body in bodies:
        body.pop("request_id")
    assert bodies == [bodies[0]] * 5
    assert bodies[0]["code"] == "code_refused"


def test_a_code_opens_nothing_in_another_browser(anna):
    mine, other = Client(), Client()
    ask_for_code(mine)
    code = sent_code(ANNA)
    ask_for_code(other)
    assert give_code(other, ANNA, code).status_code == 400
    assert give_code(mine, ANNA, code).status_code == 200


def test_a_code_lives_five_minutes(anna, clock):
    token = send().challenge_token
    code = sent_code(ANNA)
    clock.forward(seconds=300)
    assert verify(code, token) is None


def test_a_new_code_kills_the_old_one_of_its_challenge(anna, clock):
    first = send()
    old = sent_code(ANNA)
    clock.forward(seconds=60)
    second = send(token=first.challenge_token)
    assert second.challenge_token == first.challenge_token
    new = sent_code(ANNA)
    assert verify(old, second.challenge_token) is None or old == new
    assert verify(new, second.challenge_token) is not None


def test_a_code_that_waits_in_the_outbox_is_taken_back_by_a_new_one(anna, clock):
    token = send().challenge_token
    clock.forward(seconds=60)
    send(token=token)
    assert list(SmsMessage.objects.order_by("id").values_list("state", flat=True)) == ["cancelled", "queued"]
    assert SmsMessage.objects.order_by("id")[0].text is None
    assert verify(sent_code(ANNA), token) is not None


def test_a_code_stays_right_when_no_other_may_be_sent(anna, clock):
    token = send().challenge_token
    code = sent_code(ANNA)
    clock.forward(seconds=60)
    anna.is_active = False
    anna.save()
    send(token=token)
    anna.is_active = True
    anna.save()
    assert verify(code, token) is not None


def test_a_disabled_agent_gets_no_code_and_no_code_opens(anna):
    token = send().challenge_token
    code = sent_code(ANNA)
    anna.is_active = False
    anna.save()
    assert verify(code, token) is None
    assert Session.objects.count() == 0
    send()
    assert not SmsMessage.objects.queued().exists()


def test_without_sign_up_unknown_phones_get_no_sms(visitor, settings):
    settings.SIGNUP = "closed"
    assert ask_for_code(visitor, STRANGER).status_code == 202
    assert SmsMessage.objects.count() == 0


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "", "１２３４５", "12 34", "-12345"])
@both_doors
def test_what_is_not_six_digits_is_told_at_the_field_and_costs_no_try(visitor, anna, ask, give, code):
    ask(visitor, ANNA)
    assert give(visitor, ANNA, code).status_code == 422
    assert Challenge.objects.get().attempts == 0


@pytest.mark.parametrize(
    "phone", ["", "123", "+1 212 555 01 00", "8 495 123 45 67", "+7 916 ***-**-67", "7916\x001234567"]
)
@both_doors
def test_what_is_no_russian_mobile_is_told_at_the_field(visitor, ask, give, phone):
    assert ask(visitor, phone).status_code == 422
    assert Challenge.objects.count() == 0


def test_the_page_of_the_code_leads_back_to_the_phone_where_none_was_asked_for(visitor):
    assert visitor.get("/login/code/?next=/deals/")["Location"] == "/login/?next=%2Fdeals%2F"


def test_a_code_is_not_taken_without_a_csrf_token(visitor, anna):
    ask_for_code(visitor)
    code = sent_code(ANNA)
    del visitor.cookies[settings.CSRF_COOKIE_NAME]
    assert give_code(visitor, ANNA, code).json()["code"] == "csrf_failed"
    assert (
        post_json(visitor, "/auth/verify-code", {"phone": ANNA, "code": code}, **{"X-CSRFToken": "x" * 64}).status_code
        == 403
    )
    assert Challenge.objects.get().attempts == 0


def test_another_site_cannot_have_codes_sent(visitor, anna):
    assert ask_for_code(visitor, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert Challenge.objects.count() == 0


# --- what is told: nothing about who has the phone


def told(answer: Any) -> tuple[Any, ...]:
    """Return everything an answer says, but for its request id, its time and the values of random cookies."""
    headers = {
        name: value for name, value in answer.headers.items() if name not in ("X-Request-ID", "Date", "RateLimit")
    }
    kept = sorted((name, shape(morsel)) for name, morsel in answer.cookies.items())
    body = re.sub(rb'(name="csrfmiddlewaretoken" value=")[^"]+', rb"\1", answer.content)
    return answer.status_code, headers, kept, body


def shape(morsel: "Morsel[str]") -> tuple[Any, ...]:
    attributes = {name: value for name, value in morsel.items() if name != "expires"}
    return len(morsel.value), sorted(attributes.items())


def known(settings: Any) -> str:
    make_agent(phone=ANNA)
    return ANNA


def unknown(settings: Any) -> str:
    return STRANGER


def disabled(settings: Any) -> str:
    return known_phone(is_active=False)


def at_its_limit(settings: Any) -> str:
    phone = known_phone()
    send(phone)
    return phone


def unknown_over_the_limit_of_the_source(settings: Any) -> str:
    settings.LIMITS = {**settings.LIMITS, "code.sends.source.hour": (0, 3600)}
    return STRANGER


def unknown_without_sign_up(settings: Any) -> str:
    settings.SIGNUP = "closed"
    return STRANGER


KINDS = (unknown, disabled, at_its_limit, unknown_over_the_limit_of_the_source, unknown_without_sign_up)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
@pytest.mark.parametrize("ask", [ask_on_page, ask_by_api])
def test_every_phone_gets_the_same_answer(ask, kind, settings, clock):
    expected, answer = told(ask(Client(), known(settings))), told(ask(Client(), kind(settings)))
    assert answer == expected


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_every_phone_is_asked_for_its_code_and_told_the_same_of_a_wrong_one(kind, settings, clock):
    answers = []
    for phone in (known(settings), kind(settings)):
        caller = Client()
        ask_for_code(caller, phone)
        refused = give_code(caller, phone, "000000")
        body = refused.json()
        body.pop("request_id")
        again = ask_for_code(caller, phone)
        answers.append((refused.status_code, body, again.status_code, again.json()))
    assert answers[0] == answers[1]


# --- what is kept


def test_cookies_of_the_login_are_hidden_from_scripts_and_other_sites(visitor, anna):
    asked = ask_for_code(visitor)
    answer = give_code(visitor, ANNA, sent_code(ANNA))
    for cookie in (
        asked.cookies[settings.CHALLENGE_COOKIE_NAME],
        answer.cookies[settings.SESSION_COOKIE_NAME],
        answer.cookies[settings.DEVICE_COOKIE_NAME],
    ):
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert answer.cookies[settings.CHALLENGE_COOKIE_NAME]["max-age"] == 0
    assert answer.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == "", (
        "gone with the browser, unless it is one's own"
    )


def test_a_code_phone_or_token_stands_nowhere_in_clear(visitor, anna):
    ask_for_code(visitor)
    (sms,) = SmsMessage.objects.all()
    code = re.findall(r"#([0-9]{6})", sms.text or "")[0]
    token = visitor.cookies[settings.CHALLENGE_COOKIE_NAME].value
    before = everything()
    assert sent_code(ANNA) == code
    give_code(visitor, ANNA, other_than(code))
    give_code(visitor, ANNA, code)
    secrets = (ANNA, ANNA[1:], token, visitor.cookies[settings.SESSION_COOKIE_NAME].value)
    for text in (before, everything()):
        assert not re.search(rf"(?<![0-9a-f]){code}(?![0-9a-f])", text)
        assert not [secret for secret in secrets if secret in text]
    sms.refresh_from_db()
    assert sms.text is None, "erased once it is sent"


def everything() -> str:
    """Return all that the database holds, as text; times aside."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            kinds = [field.get_internal_type() for field in model._meta.concrete_fields]
            columns = [str(field.column) for field in model._meta.concrete_fields]
            names = [name for name, kind in zip(columns, kinds, strict=True) if kind != "DateTimeField"]
            cursor.execute(f"SELECT {', '.join(map(connection.ops.quote_name, names))} FROM {model._meta.db_table}")
            found += [bytes(value) if isinstance(value, memoryview) else value for row in cursor for value in row]
    return "\n".join(value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in found)


@pytest.mark.parametrize("host", ["lk.example.ru", "localhost", "a-rather-long-name.agency.example.ru"])
@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_sms_is_one_segment_names_nobody_and_ends_with_the_line_for_the_browser(settings, host, language):
    from django.utils.translation import override

    settings.SITE_HOST = host
    with override(language):
        text = codes.sms_text("042317")
    assert len(text) <= 70
    assert text.splitlines()[-1] == f"@{host} #042317"


def test_a_new_code_has_six_digits_and_its_zeros(monkeypatch):
    monkeypatch.setattr("accounts.services.codes.secrets.randbelow", lambda most: 42)
    assert codes.new_code() == "000042"


def test_a_browser_that_the_phone_has_used_is_told_its_limit(visitor, anna, clock):
    log_in(visitor)
    visitor.cookies.pop(settings.SESSION_COOKIE_NAME)
    clock.forward(hours=2)
    assert post_page(visitor, "/login/", phone=ANNA).status_code == 302
    visitor.cookies.pop(settings.CHALLENGE_COOKIE_NAME)
    clock.forward(seconds=20)
    page = post_page(visitor, "/login/", phone=ANNA)
    assert (page.status_code, 'data-countdown="40"' in page.content.decode()) == (422, True)
    assert ask_for_code(visitor).json() == {"resend_after_s": 40}
    clock.forward(seconds=40)
    assert post_page(visitor, "/login/code/", resend="1").status_code == 302
    assert SmsMessage.objects.queued().count() == 2


def test_the_device_cookie_needs_no_quotes(visitor, anna):
    log_in(visitor)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", visitor.cookies[settings.DEVICE_COOKIE_NAME].value)
