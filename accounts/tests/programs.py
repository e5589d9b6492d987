"""Programs of tests: keys as a head makes them, and Django's client that asks with one."""

from collections.abc import Iterable
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Scope, Session, User
from accounts.services import keys
from accounts.services.keys import ShownKey
from accounts.services.session_store import new_key, new_row


def confirmed(head: User, **whence: Any) -> Actor:
    """The actor that a person is in a session which a code has just confirmed."""
    row = new_row(new_key(), head)
    Session.objects.filter(pk=row.pk).update(confirmed_at=timezone.now())
    return Actor.of(head, session_id=row.pk, **{"address": "192.0.2.7", "request_id": "test", **whence})


def make_key(head: User, scopes: Iterable[str] = tuple(Scope), **fields: Any) -> ShownKey:
    """Make a key of the head's agency, with every scope unless some are named."""
    return keys.make_key(name=fields.pop("name", "Бухгалтерия"), scopes=scopes, actor=confirmed(head), **fields)


def program(token: str, **defaults: Any) -> Client:
    """Return a client that asks with this key and keeps no cookies of anybody."""
    headers = {"Authorization": f"Bearer {token}"}
    return Client(enforce_csrf_checks=True, raise_request_exception=False, headers=headers, **defaults)
