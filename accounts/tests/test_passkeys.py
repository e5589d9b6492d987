"""Passkeys: added after a fresh code, logging in without an SMS, confirming, refused for whatever is wrong."""

from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from fido2.utils import websafe_encode

from accounts.actor import Actor
from accounts.models import Action, Event, Passkey, PasskeyChallenge, Session, SmsMessage, User
from accounts.services import factors, passkeys, sweeps
from accounts.services.passkeys import PasskeyRefused, Signed
from accounts.tests.authenticators import Device, with_app
from accounts.tests.clock import Clock, clock
from accounts.tests.logging_in import ADDRESS, post_json, signed_in
from accounts.tests.people import make_agent, staff_actor
from accounts.tests.programs import confirmed
from accounts.tests.side_by_side import side_by_side

__all__ = ["clock"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return make_agent()


@pytest.fixture
def client(anna: User) -> Client:
    return signed_in(anna)


def options_of(client: Client, path: str) -> Any:
    begun = post_json(client, f"{path}/begin", None)
    assert begun.status_code == 200, begun.content
    return begun.json()["options"]


def make_fresh(client: Client, clock: Clock | None = None) -> None:
    Session.objects.update(confirmed_at=clock.now if clock else None)


def with_passkey(user: User, name: str = "Телефон") -> Device:
    device = Device()
    made = device.made(passkeys.begin_adding(actor=confirmed(user)))
    data = {part: passkeys.read_bytes(text) for part, text in made.items()}
    passkeys.add_passkey(name, **data, actor=confirmed(user))
    return device


def anybody() -> Client:
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    return client


def log_in(device: Device, client: Client | None = None) -> Any:
    client = client or anybody()
    return post_json(client, "/auth/passkey", device.signed(options_of(client, "/auth/passkey")))


def delete(client: Client, path: str) -> Any:
    return client.delete(f"/api/v1{path}", headers={"X-CSRFToken": client.cookies[settings.CSRF_COOKIE_NAME].value})


def test_a_passkey_is_added_after_a_fresh_code_and_the_agent_is_told(client: Client, anna: User, clock: Clock):
    assert post_json(client, "/me/factors/passkeys/begin", None).json()["code"] == "fresh_code_required"
    make_fresh(client, clock)
    made = Device().made(options_of(client, "/me/factors/passkeys"))
    added = post_json(client, "/me/factors/passkeys", {"name": " Телефон ", **made})
    assert added.status_code == 201, added.content
    assert (added.json()["name"], added.json()["used_at"]) == ("Телефон", None)
    assert client.get("/api/v1/me/factors").json()["passkeys"] == [added.json()]
    assert "Телефон" in client.get("/protection/").content.decode()
    assert Event.objects.get(action=Action.FACTOR_ADDED).data["kind"] == "passkey"
    assert SmsMessage.objects.count() == 1
    again = post_json(client, "/me/factors/passkeys", {"name": "Второй", **made})
    assert again.json()["code"] == "passkey_refused", "its challenge is used up"


def test_it_logs_in_without_an_sms_and_without_the_app(anna: User):
    device = with_passkey(anna)
    with_app(anna)
    client = anybody()
    assert log_in(device, client).json()["user"]["id"] == str(anna.pk)
    assert client.get("/more/").status_code == 200
    assert settings.DEVICE_COOKIE_NAME in client.cookies
    assert Passkey.objects.get().used_at is not None
    assert log_in(device).status_code == 200


def test_it_confirms_the_session(client: Client, anna: User):
    device = with_passkey(anna)
    assert "data-passkey" in client.get("/step-up/").content.decode()
    options = options_of(client, "/auth/step-up/passkey")
    assert len(options["allowCredentials"]) == 1
    assert post_json(client, "/auth/step-up/passkey", device.signed(options)).status_code == 204
    assert delete(client, f"/me/factors/passkeys/{Passkey.objects.get().pk}").status_code == 204
    assert log_in(device).json()["code"] == "passkey_refused"


@pytest.mark.parametrize(
    "wrong",
    [
        {"site": "evil.example"},
        {"origin": "http://evil.example"},
        {"is_verifying": False},
        {"credential_id": b"another passkey"},
        {"counter": -1},
    ],
)
def test_what_is_wrong_with_an_answer_is_refused_in_the_same_words(anna: User, wrong: dict[str, Any]):
    device = with_passkey(anna)
    assert log_in(device).status_code == 200
    for name, value in wrong.items():
        setattr(device, name, value)
    refused = log_in(device)
    assert (refused.status_code, refused.json()["code"]) == (400, "passkey_refused")


def test_a_foreign_key_opens_nothing(anna: User):
    device, thief = with_passkey(anna), Device()
    thief.credential_id = device.credential_id
    assert log_in(thief).status_code == 400
    assert Event.objects.filter(action=Action.LOGIN_FAILED).count() == 1


def test_a_challenge_is_signed_once_in_time_and_for_its_use(client: Client, anna: User, clock: Clock):
    device = with_passkey(anna)
    browser = anybody()
    signed = device.signed(options_of(browser, "/auth/passkey"))
    assert post_json(browser, "/auth/passkey", signed).status_code == 200
    assert post_json(anybody(), "/auth/passkey", signed).status_code == 400
    for_login = device.signed(options_of(anybody(), "/auth/passkey"))
    assert post_json(client, "/auth/step-up/passkey", for_login).status_code == 400
    as_new = device.signed(options_of(anybody(), "/auth/passkey"), use="webauthn.create")
    assert post_json(anybody(), "/auth/passkey", as_new).status_code == 400
    late = device.signed(options_of(anybody(), "/auth/passkey"))
    clock.forward(minutes=5)
    assert post_json(anybody(), "/auth/passkey", late).status_code == 400
    clock.forward(seconds=1)
    sweeps.SWEEPS["passkey_challenges"](clock.now)
    assert not PasskeyChallenge.objects.exists()


def test_a_copied_passkey_is_found_by_its_counter(anna: User):
    device = with_passkey(anna)
    for _login in range(3):
        assert log_in(device).status_code == 200
    device.counter = 1
    assert log_in(device).status_code == 400


@pytest.mark.parametrize("part", ["credential_id", "client_data", "authenticator_data", "signature"])
@pytest.mark.parametrize(
    "junk", [b"\x81" * 6000, b"[" * 6000, b"{}", b"null", b"\xff" * 37, b'{"type":1,"challenge":1}']
)
def test_bytes_that_are_no_answer_are_refused(anna: User, part: str, junk: bytes):
    device, client = with_passkey(anna), anybody()
    signed = device.signed(options_of(client, "/auth/passkey")) | {part: websafe_encode(junk)}
    assert post_json(client, "/auth/passkey", signed).status_code == 400


@pytest.mark.parametrize("junk", [b"\x81" * 6000, b"\xa3" + b"\xff" * 30, b"\xa0", b"{}"])
def test_bytes_that_are_no_passkey_are_refused(client: Client, anna: User, clock: Clock, junk: bytes):
    make_fresh(client, clock)
    made = Device().made(options_of(client, "/me/factors/passkeys")) | {"attestation": websafe_encode(junk)}
    refused = post_json(client, "/me/factors/passkeys", {"name": "Телефон", **made})
    assert (refused.status_code, refused.json()["code"]) == (400, "passkey_refused")


@pytest.mark.parametrize("text", ["", "a", "*", "a=", "я" * 4, "a" * 16_001])
def test_what_is_no_base64url_is_422(text: str):
    client = anybody()
    signed = {"credential_id": text, "client_data": "aa", "authenticator_data": "aa", "signature": "aa"}
    assert post_json(client, "/auth/passkey", signed).status_code == 422


def test_a_passkey_of_one_person_confirms_no_other(client: Client, anna: User):
    device = with_passkey(make_agent())
    options = options_of(client, "/auth/step-up/passkey")
    assert post_json(client, "/auth/step-up/passkey", device.signed(options)).status_code == 400
    assert delete(client, f"/me/factors/passkeys/{Passkey.objects.get().pk}").status_code == 404
    assert delete(client, f"/me/factors/passkeys/{uuid4()}").status_code == 404


def test_a_disabled_agent_logs_in_with_no_passkey(anna: User):
    device = with_passkey(anna)
    User.objects.update(is_active=False)
    assert log_in(device).status_code == 400


def test_ten_passkeys_are_enough(client: Client, anna: User, clock: Clock):
    for number in range(10):
        with_passkey(anna, f"Ключ {number}")
    make_fresh(client, clock)
    assert post_json(client, "/me/factors/passkeys/begin", None).json()["code"] == "too_many_passkeys"


def test_staff_remove_passkeys_too(anna: User):
    device = with_passkey(anna)
    assert factors.has_factors(anna.pk)
    factors.remove_factors(anna.pk, reason="Пришла с паспортом", actor=staff_actor())
    assert log_in(device).status_code == 400


def test_outside_of_a_local_run_only_the_site_itself_asks(settings: Any):
    settings.LOCAL, settings.SITE_HOST = False, "lk.example"
    asked = ("https://lk.example", "http://lk.example", "https://lk.example:444", "https://evil.lk.example", "null")
    assert [passkeys.is_our_origin(origin) for origin in asked] == [True, False, False, False, False]


@pytest.mark.django_db(transaction=True)
def test_of_one_answer_sent_at_once_one_opens_a_session(anna: User):
    device = with_passkey(anna)
    parts = device.signed(passkeys.begin_login())
    signed = Signed(**{name: passkeys.read_bytes(text) for name, text in parts.items()})
    Session.objects.all().delete()

    def enter(number: int) -> bool:
        try:
            passkeys.log_in(signed, own_device=False, browser="", actor=Actor.nobody(address=ADDRESS))
        except PasskeyRefused:
            return False
        return True

    assert sorted(side_by_side(6, enter)) == [False] * 5 + [True]
    assert Session.objects.count() == 1
