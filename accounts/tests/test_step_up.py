"""Step-up: a fresh code for what would hurt most, on the page and by the API; what opens it, and what never does."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.actor import Actor
from accounts.models import Action, ApiKey, Challenge, Event, KeptForm, Purpose, Role, Session, SmsMessage, User
from accounts.services import step_up
from accounts.services.entry import CodeRefused
from accounts.services.step_up import FreshCodeRequired
from accounts.tests.clock import Clock, clock
from accounts.tests.logging_in import ask_for_code, give_code, other_than, post_json, sent_code, sent_codes, signed_in
from accounts.tests.people import make_agency, make_agent
from accounts.tests.programs import make_key, program
from accounts.tests.side_by_side import side_by_side
from lk_site.errors import NotAllowed

__all__ = ["clock"]
pytestmark = pytest.mark.django_db
VERA = "79169990002"
TYPED = {
    "name": "Бухгалтерия",
    "scopes": ["deals:read", "clients:read"],
    "lifetime": "90",
    "networks": "203.0.113.0/24",
}


@pytest.fixture
def vera() -> User:
    return make_agent(make_agency(), "Вера Власова", role=Role.HEAD, phone=VERA)


@pytest.fixture
def client(vera: User) -> Client:
    return signed_in(vera)


def post_page(client: Client, path: str = "/step-up/", **form: Any) -> Any:
    return client.post(path, {"csrfmiddlewaretoken": client.cookies[settings.CSRF_COOKIE_NAME].value, **form})


def ask_on_page(client: Client) -> Any:
    return post_page(client, send="1")


def ask_by_api(client: Client) -> Any:
    return post_json(client, "/auth/step-up", None)


def give_on_page(client: Client, code: str) -> Any:
    return post_page(client, code=code)


def give_by_api(client: Client, code: str) -> Any:
    return post_json(client, "/auth/step-up/verify", {"code": code})


ASK = pytest.mark.parametrize("ask", [ask_on_page, ask_by_api])
GIVE = pytest.mark.parametrize("give", [give_on_page, give_by_api])
DOORS = pytest.mark.parametrize(("ask", "give"), [(ask_on_page, give_on_page), (ask_by_api, give_by_api)])


def session_cookie(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def is_confirmed(client: Client) -> bool:
    """Whether a key may be made in this browser now: the answer of the API."""
    return post_json(client, "/keys", {"name": "Касса", "scopes": []}).status_code == 201


# --- what a code opens


@DOORS
def test_a_fresh_code_confirms_the_session(client: Client, ask: Any, give: Any):
    assert not is_confirmed(client)
    assert ask(client).status_code in (202, 302)
    assert give(client, sent_code(VERA)).status_code in (204, 302)
    assert is_confirmed(client)


@DOORS
def test_the_session_gets_a_new_id_and_the_old_one_is_out(client: Client, ask: Any, give: Any):
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = session_cookie(client)
    assert stolen.get("/more/").status_code == 200
    ask(client)
    give(client, sent_code(VERA))
    assert session_cookie(client) != stolen.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.get("/more/").status_code == 200
    assert stolen.get("/more/").status_code == 302
    assert Session.objects.count() == 1


@DOORS
def test_a_confirmation_lives_five_minutes(client: Client, clock: Clock, ask: Any, give: Any):
    ask(client)
    give(client, sent_code(VERA))
    clock.forward(minutes=4, seconds=59)
    assert is_confirmed(client)
    clock.forward(seconds=1)
    assert not is_confirmed(client)


@DOORS
def test_the_code_dies_with_its_five_minutes(client: Client, clock: Clock, ask: Any, give: Any):
    ask(client)
    code = sent_code(VERA)
    clock.forward(minutes=5)
    assert give(client, code).status_code == 400
    assert not is_confirmed(client)


def test_another_session_of_the_same_person_is_not_confirmed(client: Client, vera: User):
    ask_on_page(client)
    give_on_page(client, sent_code(VERA))
    assert is_confirmed(client)
    assert not is_confirmed(signed_in(vera))


def test_a_code_is_used_once(client: Client):
    ask_by_api(client)
    code, challenge = sent_code(VERA), client.cookies[settings.CHALLENGE_COOKIE_NAME].value
    assert give_by_api(client, code).status_code == 204
    client.cookies[settings.CHALLENGE_COOKIE_NAME] = challenge
    assert give_by_api(client, code).status_code == 400


def test_a_confirmation_leaves_evidence(client: Client, vera: User):
    ask_by_api(client)
    give_by_api(client, sent_code(VERA))
    event = Event.objects.get(action=Action.SESSION_CONFIRMED)
    assert (event.actor_id, event.object_id) == (vera.pk, Session.objects.get().pk)


# --- what it does not


@GIVE
def test_a_code_to_log_in_with_confirms_nothing(client: Client, give: Any):
    ask_for_code(client, VERA)
    assert give(client, sent_code(VERA)).status_code == 400
    assert not is_confirmed(client)


@ASK
def test_a_code_to_confirm_with_logs_nobody_in(client: Client, ask: Any):
    ask(client)
    code = sent_code(VERA)
    stranger = Client()
    stranger.cookies[settings.CHALLENGE_COOKIE_NAME] = client.cookies[settings.CHALLENGE_COOKIE_NAME].value
    assert give_code(stranger, VERA, code).status_code == 400
    assert settings.SESSION_COOKIE_NAME not in stranger.cookies
    assert give_by_api(client, code).status_code == 204, "and is still good for what it was sent for"


@GIVE
def test_the_code_of_one_person_confirms_no_other(client: Client, give: Any):
    colleague = signed_in(make_agent(phone="79169990003"))
    ask_by_api(colleague)
    code = sent_code("79169990003")
    client.cookies[settings.CHALLENGE_COOKIE_NAME] = colleague.cookies[settings.CHALLENGE_COOKIE_NAME].value
    assert give(client, code).status_code == 400
    assert not is_confirmed(client)


def test_the_page_asks_nobody_for_the_code_of_another(client: Client):
    colleague = signed_in(make_agent(phone="79169990003"))
    ask_by_api(colleague)
    client.cookies[settings.CHALLENGE_COOKIE_NAME] = colleague.cookies[settings.CHALLENGE_COOKIE_NAME].value
    assert 'name="code"' not in client.get("/step-up/").content.decode()


@DOORS
def test_a_code_has_five_tries(client: Client, ask: Any, give: Any):
    ask(client)
    code = sent_code(VERA)
    for number in range(5):
        assert give(client, other_than(code, number=number)).status_code == 400
    assert give(client, code).status_code == 400
    assert Challenge.objects.get().attempts == 5, "the tries were counted, though each was refused"
    assert not is_confirmed(client)


def test_nobody_a_program_and_lk_itself_confirm_nothing(vera: User):
    key = make_key(vera)
    for path in ("/auth/step-up", "/auth/step-up/verify"):
        assert post_json(program(key.token), path, {"code": "123456"}).status_code == 403
    for actor in (Actor.of_key(key.key), Actor.nobody(), Actor.system()):
        with pytest.raises(NotAllowed):
            step_up.send_code(challenge_token="", device_cookie="", actor=actor)
        with pytest.raises(NotAllowed):
            step_up.verify_code("123456", challenge_token="", actor=actor)
        with pytest.raises(FreshCodeRequired):
            step_up.require_fresh_code(actor)


def test_a_disabled_person_gets_no_code(vera: User):
    actor = Actor.of(vera)
    User.objects.update(is_active=False)
    with pytest.raises(User.DoesNotExist):
        step_up.send_code(challenge_token="", device_cookie="", actor=actor)


@pytest.mark.django_db(transaction=True)
def test_of_two_right_codes_at_once_one_confirms(client: Client, vera: User):
    ask_by_api(client)
    code, token = sent_code(VERA), client.cookies[settings.CHALLENGE_COOKIE_NAME].value
    actor = Actor.of(vera, session_id=Session.objects.get().pk)

    def confirm(number: int) -> bool:
        try:
            step_up.verify_code(code, challenge_token=token, actor=actor)
        except CodeRefused:
            return False
        return True

    assert sorted(side_by_side(6, confirm)) == [False] * 5 + [True]


# --- limits


@ASK
def test_the_next_code_waits_a_minute_and_the_person_is_told(client: Client, clock: Clock, ask: Any):
    ask(client)
    ask(client)
    assert len(sent_codes(VERA)) == 1
    assert 'data-countdown="60"' in client.get("/step-up/").content.decode()
    clock.forward(seconds=60)
    ask(client)
    assert len(sent_codes(VERA)) == 1


def test_the_limit_of_the_phone_holds_for_both_purposes_and_is_told(client: Client, clock: Clock):
    for wait in (60, 120, 0):
        ask_on_page(client)
        clock.forward(seconds=wait)
    clock.forward(seconds=300)
    refused = ask_on_page(client)
    assert refused.status_code == 422
    assert "notice is-error" in refused.content.decode()
    assert SmsMessage.objects.count() == 3
    ask_for_code(Client(), VERA)
    assert SmsMessage.objects.count() == 3


def test_a_limit_is_told_again_where_no_code_was_sent_at_all(client: Client, clock: Clock):
    for wait in (61, 121, 301):
        ask_for_code(Client(), VERA)
        clock.forward(seconds=wait)
    for _ in range(2):
        refused = ask_on_page(client).content.decode()
        assert "notice is-error" in refused
        assert 'name="code"' not in refused
    assert not Challenge.objects.filter(purpose=Purpose.STEP_UP, code_digest__isnull=False).exists()


@pytest.mark.parametrize("is_known", [True, False])
def test_who_is_signed_in_learns_nothing_of_the_limits_of_other_phones(client: Client, clock: Clock, is_known: bool):
    other = "79169990004"
    if is_known:
        make_agent(phone=other)
    for wait in (61, 121, 301):
        ask_for_code(Client(), other)
        clock.forward(seconds=wait)
    refused = post_page(client, "/login/", phone=other)
    assert (refused.status_code, refused["Location"]) == (302, "/login/code/")
    assert 'data-countdown="60"' in client.get("/login/code/").content.decode()


# --- the page


def test_the_page_says_why_and_masks_the_number(client: Client):
    page = client.get("/step-up/").content.decode()
    assert "+7 916 ***-**-02" in page
    assert VERA[-7:] not in page
    assert 'name="code"' not in page
    ask_on_page(client)
    page = client.get("/step-up/").content.decode()
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page


@pytest.mark.parametrize("typed", ["", "12", "двести", "１２３４５", "1" * 5000])
def test_what_is_no_code_is_refused_at_its_field(client: Client, typed: str):
    ask_on_page(client)
    page = give_on_page(client, typed)
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.content.decode()
    assert Challenge.objects.get().attempts == 0


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_it_leads_to_pages_of_ours_only(client: Client, wanted: str):
    post_page(client, "/step-up/", send="1", next=wanted)
    assert post_page(client, code=sent_code(VERA), next=wanted)["Location"] == "/more/"
    assert client.get("/step-up/", {"next": wanted})["Location"] == "/more/"


def test_who_is_confirmed_is_led_on_at_once(client: Client):
    ask_on_page(client)
    assert post_page(client, code=sent_code(VERA), next="/keys/")["Location"] == "/keys/"
    assert client.get("/step-up/?next=/keys/new/")["Location"] == "/keys/new/"


# --- nothing typed is lost


def test_a_form_that_needs_a_code_comes_back_filled_and_not_sent(client: Client):
    lost = post_page(client, "/keys/new/", form_key="018f0000-0000-7000-8000-000000000001", **TYPED)
    assert lost["Location"] == "/step-up/?next=%2Fkeys%2Fnew%2F"
    assert post_page(client, "/step-up/?next=/keys/new/", send="1")["Location"] == "/step-up/?next=%2Fkeys%2Fnew%2F"
    assert post_page(client, code=sent_code(VERA), next="/keys/new/")["Location"] == "/keys/new/"
    page = client.get("/keys/new/").content.decode()
    for told in ('value="Бухгалтерия"', "203.0.113.0/24", "018f0000-0000-7000-8000-000000000001"):
        assert told in page, told
    assert page.count(" checked") == 3, "two scopes and the lifetime"
    assert not ApiKey.objects.exists()


def test_a_form_kept_a_second_time_is_still_there(client: Client):
    for name in ("Первая", "Вторая"):
        post_page(client, "/keys/new/", form_key="018f0000-0000-7000-8000-000000000001", **{**TYPED, "name": name})
    assert KeptForm.objects.count() == 1
    assert "Вторая" in client.get("/keys/new/").content.decode()


def test_once_sent_it_is_forgotten(client: Client):
    form = {"form_key": "018f0000-0000-7000-8000-000000000001", **TYPED}
    post_page(client, "/keys/new/", **form)
    ask_on_page(client)
    give_on_page(client, sent_code(VERA))
    assert KeptForm.objects.exists()
    assert post_page(client, "/keys/new/", **form).status_code == 200
    assert not KeptForm.objects.exists()
    assert ApiKey.objects.count() == 1


def test_a_fragment_is_sent_to_the_page_of_the_code_and_kept(client: Client):
    where = {"HX-Request": "true", "HX-Current-URL": "http://testserver/keys/new/"}
    form = {"form_key": "018f0000-0000-7000-8000-000000000001", **TYPED}
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    answer = client.post("/keys/new/", {"csrfmiddlewaretoken": token, **form}, headers=where)
    assert (answer.status_code, answer["HX-Redirect"]) == (403, "/step-up/?next=%2Fkeys%2Fnew%2F")
    assert KeptForm.objects.get().page == "/keys/new/"


def test_the_page_comes_back_with_its_query(client: Client):
    referer = {"Referer": "http://testserver/keys/new/?from=more"}
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    form = {"csrfmiddlewaretoken": token, "form_key": "018f0000-0000-7000-8000-000000000001", **TYPED}
    lost = client.post("/keys/new/", form, headers=referer)
    assert lost["Location"] == "/step-up/?next=%2Fkeys%2Fnew%2F%3Ffrom%3Dmore"
