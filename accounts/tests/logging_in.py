"""How tests log in: by the same doors as people, with the code that the worker sent."""

import json
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils.crypto import get_random_string

from accounts.actor import Actor
from accounts.gateways import OutgoingSms, Sent
from accounts.models import User
from accounts.services import login, outbox, sessions
from accounts.services.entry import CodeRefused, LoggedIn
from accounts.services.login import SentCode
from accounts.tests.people import make_agent, new_phone

ANNA = "79169990001"
STRANGER = "79260000001"  # nobody's phone
ADDRESS = "198.51.100.7"


@dataclass
class Tray:
    """A gateway that keeps what it was given."""

    sent: list[OutgoingSms] = field(default_factory=list)

    def send(self, sms: OutgoingSms) -> Sent:
        self.sent.append(sms)
        return Sent(gateway_id="", status=100)

    def reports(self, gateway_ids: list[str]) -> dict[str, Any]:
        return {}


def sent_codes(phone: str) -> list[str]:
    """Let the worker send what waits, and return the codes that came to this phone."""
    tray = Tray()
    while outbox.deliver(tray):
        pass
    return [code for sms in tray.sent if sms.phone == phone for code in re.findall(r"#([0-9]{6})", sms.text)]


def sent_code(phone: str) -> str:
    (code,) = sent_codes(phone)
    return code


def post_json(client: Client, path: str, body: Any, **headers: str) -> Any:
    """POST as a program does: JSON, with the CSRF token of the cookie."""
    token = client.cookies.get(settings.CSRF_COOKIE_NAME)
    if token is not None:
        headers.setdefault("X-CSRFToken", token.value)
    data = "" if body is None else json.dumps(body)
    return client.post(f"/api/v1{path}", data, content_type="application/json", headers=headers)


def ask_for_code(client: Client, phone: str = ANNA, **headers: str) -> Any:
    return post_json(client, "/auth/send-code", {"phone": phone}, **headers)


def give_code(client: Client, phone: str, code: str, **headers: str) -> Any:
    return post_json(client, "/auth/verify-code", {"phone": phone, "code": code}, **headers)


def log_in(client: Client, phone: str = ANNA) -> Any:
    ask_for_code(client, phone)
    return give_code(client, phone, sent_code(phone))


def other_than(*codes: str, number: int = 0) -> str:
    """Return six digits that are none of these codes; another one for each number."""
    others = (code for code in (f"{step:06}" for step in range(1_000_000)) if code not in codes)
    return next(islice(others, number, None))


def known_phone(**fields: object) -> str:
    """Return the phone of an agent who has logged in before."""
    phone = new_phone()
    make_agent(phone=phone, **fields)  # type: ignore[arg-type]
    return phone


def signed_in(user: User, *, own_device: bool = False, address: str | None = "127.0.0.1") -> Client:
    """Return a browser in which this person is logged in."""
    client = Client(enforce_csrf_checks=True)
    opened = sessions.open_session(user, own_device=own_device, browser="", actor=Actor.nobody(address=address))
    client.cookies[settings.SESSION_COOKIE_NAME] = opened.key
    client.cookies[settings.CSRF_COOKIE_NAME] = get_random_string(32)
    return client


def send(phone: str = ANNA, *, token: str = "", device: str = "", address: str = ADDRESS) -> SentCode:
    return login.send_code(phone, challenge_token=token, device_cookie=device, actor=Actor.nobody(address=address))


def verify(code: str, token: str, *, phone: str = ANNA, address: str = ADDRESS) -> LoggedIn | None:
    """Return what the code opened, or None where it was refused."""
    actor = Actor.nobody(address=address)
    try:
        return login.verify_code(phone, code, challenge_token=token, own_device=False, browser="", actor=actor)
    except CodeRefused:
        return None
