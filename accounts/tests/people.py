"""The people of tests: Anna owns, Boris is a colleague, Vera heads the agency, Gleb is elsewhere, Sonya is staff."""

import time
from base64 import b32decode
from functools import cache
from itertools import count

from django.contrib.auth.hashers import make_password
from django.test import Client
from django_otp.oath import TOTP

from accounts.actor import Actor
from accounts.models import Agency, Role, Session, User, UserKind
from accounts.services import consents, staff
from accounts.services import totp as totp_codes
from accounts.services.session_store import new_key, new_row

PASSWORD = "correct horse battery staple"
LAST_PHONES = count(1)


def new_phone() -> str:
    return f"7916{next(LAST_PHONES):07}"


def make_agency(name: str = "Ключ") -> Agency:
    agency = Agency(name=name)
    agency.save()
    return agency


def make_agent(
    agency: Agency | None = None,
    name: str | None = "Анна Агеева",
    role: str = Role.AGENT,
    phone: str = "",
    **fields: object,
) -> User:
    """An agent who has agreed to the text in force."""
    newest = consents.CONSENTS[-1].version
    user = User(agency=agency or make_agency(), name=name, role=role, **{"consent_version": newest, **fields})
    user.set_phone(phone or new_phone())
    user.save()
    return user


def make_staff(login: str = "sonya") -> User:
    user = User(kind=UserKind.STAFF, login=login, password=hashed_password())
    user.save()
    staff.enrol(user)
    return user


@cache
def hashed_password() -> str:
    return make_password(PASSWORD)


def staff_actor(login: str = "sonya") -> Actor:
    return Actor.of(
        User.objects.filter(login=login).first() or make_staff(login), address="203.0.113.5", request_id="test"
    )


def totp_code(user: User, steps: int = 0) -> str:
    """The code that the person's authenticator shows now, or so many steps of 30 s away."""
    totp = TOTP(b32decode(user.totp.secret))
    totp.time = time.time() + steps * totp_codes.STEP_S
    return f"{totp.token():06}"


def sign_in(client: Client, user: User, cookie: str) -> Session:
    """Give the client a live session of this person in this cookie, and return its row."""
    key = new_key()
    row = new_row(key, user, address="127.0.0.1")
    client.cookies[cookie] = key
    return row
