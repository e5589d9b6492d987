"""People of the tests of the edge, and a client that asks as one of them."""

from typing import Any

from django.test import Client

from accounts.models import Agency, Role, User
from accounts.services.consents import CONSENTS

CONSENTED = CONSENTS[-1].version


def person(phone: str, agency: Agency | None = None, *, role: Role = Role.AGENT, consent: str = CONSENTED) -> User:
    """Return a stored agent."""
    user = User(agency=agency or Agency.objects.create(), role=role, consent_version=consent, name="Проба")
    user.set_phone(phone)
    user.save()
    return user


def client_of(user: User | None = None, **headers: Any) -> Client:
    """Return a client that asks as this person, in English."""
    asker = {"X-Asker": str(user.pk)} if user else {}
    return Client(headers={"Accept-Language": "en", **asker, **headers}, raise_request_exception=False)
