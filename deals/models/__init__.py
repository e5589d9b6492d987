"""Tables of `deals`: the work."""

from deals.models.clients import PHONES_AT_MOST, Client, ClientPhone, ClientToken, Look
from deals.models.deals import COMMISSION_AT_MOST, PRICE_AT_LEAST, PRICE_AT_MOST, Deal, PropertyType
from deals.models.notes import Note
from deals.models.numbers import DealCounter
from deals.models.pipelines import DealKind, LostReason, Pipeline, Stage, StageKind
from deals.models.searches import Search

__all__ = [
    "COMMISSION_AT_MOST",
    "PHONES_AT_MOST",
    "PRICE_AT_LEAST",
    "PRICE_AT_MOST",
    "Client",
    "ClientPhone",
    "ClientToken",
    "Deal",
    "DealCounter",
    "DealKind",
    "Look",
    "LostReason",
    "Note",
    "Pipeline",
    "PropertyType",
    "Search",
    "Stage",
    "StageKind",
]
