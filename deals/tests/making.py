"""Deals and clients for tests, made by the services themselves."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from accounts.actor import Actor
from accounts.models import Event, User
from deals.models import Client, Deal
from deals.services.clients import create_client
from deals.services.deals import create_deal

PHONE, OTHER_PHONE, THIRD_PHONE = "79161234567", "79267654321", "79031112233"
ADDRESS = "Москва, Тверская ул., 12, кв. 34"
TEN_MINUTES = timedelta(minutes=10)


def by(user: User) -> Actor:
    """The actor that a person is, in a request."""
    return Actor.of(user, address="192.0.2.7", request_id="test")


def make_deal(agent: User, phone: str = PHONE, **fields: Any) -> Deal:
    """Create a deal as this agent does."""
    known: dict[str, Any] = {"property_address": ADDRESS, "price": Decimal(12_500_000)}
    return create_deal(actor=by(agent), **known | ({} if "client" in fields else {"client_phone": phone}) | fields)


def make_client(agent: User, *phones: str, **fields: Any) -> Client:
    """Create a client as this agent does."""
    return create_client(phones=phones or [PHONE], actor=by(agent), **fields)


def actions(**of_what: object) -> list[str]:
    """Return the actions of an object's events in the order they happened."""
    return list(Event.objects.filter(**of_what).order_by("seq").values_list("action", flat=True))
