"""Deals and clients for tests, made by the services themselves."""

from decimal import Decimal
from typing import Any

from accounts.actor import Actor
from accounts.models import User
from deals.models import Client, Deal
from deals.services.clients import create_client
from deals.services.deals import create_deal

PHONE, OTHER_PHONE, THIRD_PHONE = "79161234567", "79267654321", "79031112233"
ADDRESS = "Москва, Тверская ул., 12, кв. 34"


def make_deal(agent: User, phone: str = PHONE, name: str = "", **fields: Any) -> Deal:
    """Create a deal as this agent does."""
    fields = {"property_address": ADDRESS, "price": Decimal("12500000.00")} | fields
    return create_deal(client_phone=phone, client_name=name, actor=Actor.of(agent), **fields)


def make_client(agent: User, *phones: str, **fields: Any) -> Client:
    """Create a client as this agent does."""
    return create_client(phones=phones or [PHONE], actor=Actor.of(agent), **fields)
