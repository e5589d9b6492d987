"""`/lookups`: what others know of addresses and companies."""

from dataclasses import asdict
from typing import Annotated, Any

from ninja import Path, Query, Router, Schema
from pydantic import Field, WithJsonSchema

from accounts.actor import ActorRequest
from accounts.models.keys import WORK_SCOPES
from deals.api.schemas import AddressIn
from deals.lookups import (
    CompanyStatus,
    CompanyUnknown,
    LookupFailed,
    LookupsOff,
    address_suggestions,
    clean_inn,
    company_finder,
)
from lk_site.operations import counts_as_search, needs, refuses
from lk_site.schemas import borrowed

INN_SCHEMA = {"type": "string", "pattern": "^([0-9]{10}|[0-9]{12})$", "examples": ["7707083893"]}
STATUSES = (
    f"One of {', '.join(f'`{status}`' for status in CompanyStatus)}; `null` where the register's word is new to us."
)
InnIn = Annotated[str, borrowed(clean_inn), WithJsonSchema(INN_SCHEMA)]


class AddressQuery(Schema):
    q: AddressIn = Field(description="The beginning of an address, as people type it.")


class SuggestedAddressOut(Schema):
    value: str = Field(examples=["г Москва, ул Хабаровская, д 8"])
    fias_id: str | None = Field(
        description="In ФИАС, the state's register of addresses.", examples=["2a8ccb8e-1b9d-4ec2-b1a6-1d3c4ce1f9f0"]
    )
    postal_code: str | None = Field(examples=["107589"])


class SuggestedAddressesOut(Schema):
    items: list[SuggestedAddressOut]


class CompanyOut(Schema):
    inn: str = Field(examples=["7707083893"])
    name: str = Field(examples=["ПАО СБЕРБАНК"])
    full_name: str | None = Field(examples=['ПУБЛИЧНОЕ АКЦИОНЕРНОЕ ОБЩЕСТВО "СБЕРБАНК РОССИИ"'])
    kpp: str | None = Field(description="An entrepreneur has none.", examples=["773601001"])
    ogrn: str | None = Field(examples=["1027700132195"])
    address: str | None = Field(examples=["г Москва, ул Вавилова, д 19"])
    status: str | None = Field(description=STATUSES, examples=["active"])


router = Router(tags=["lookups"])


@router.get("/addresses", response=SuggestedAddressesOut)
@needs(*WORK_SCOPES)
@refuses(LookupsOff)
@counts_as_search()
def suggest_addresses(request: ActorRequest, query: Query[AddressQuery]) -> dict[str, Any]:
    """Suggest addresses that begin as the text does, the likeliest first; none while the service does not answer."""
    return {"items": [asdict(address) for address in address_suggestions().suggest(query.q)]}


@router.get("/companies/{inn}", response=CompanyOut)
@needs(*WORK_SCOPES)
@refuses(LookupsOff, CompanyUnknown, LookupFailed)
@counts_as_search()
def find_company(request: ActorRequest, inn: Path[InnIn]) -> dict[str, Any]:
    """Return the company or entrepreneur with this INN."""
    return asdict(company_finder().find(inn))
