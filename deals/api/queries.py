"""What programs ask lists for: the parameters of `GET /deals/` and `GET /clients/`."""

from typing import Annotated, Any, Literal

from ninja import Field

from deals.api.schemas import ClientListItem, ClientOut, DealListItem, DealOut
from deals.models import DealKind, StageKind
from deals.services.client_listing import ClientFilter
from deals.services.listing import DealFilter
from lk_site.schemas import BooleanIn, ClientPhoneIn, DayOrMomentIn, IdIn, Line, MomentIn, MoneyIn, PageQuery
from lk_site.selection import EXPAND, FIELDS, Selecting, expansions, members

QueryIn = Annotated[str, Line(200)]
SHOWN_ONLY = {"limit", "cursor", "fields", "expand"}
OfDeals = Annotated[str, expansions("client", "agent")]
OfClients = Annotated[str, expansions("agent")]


class DealQuery(PageQuery, Selecting):
    """Repeats of one parameter mean *or*; different parameters mean *and*."""

    status: list[StageKind] = Field([], max_length=3)
    stage: list[Annotated[str, Line(30)]] = Field([], max_length=20)
    kind: list[DealKind] = Field([], max_length=4)
    agent: list[IdIn] = Field([], max_length=50)
    client: list[IdIn] = Field([], max_length=50)
    client_phone: list[ClientPhoneIn] = Field([], max_length=5)
    q: QueryIn = Field("", description="`#12`, a phone, its last four digits, or words of address and client's name.")
    price_min: MoneyIn | None = None
    price_max: MoneyIn | None = None
    created_from: DayOrMomentIn | None = Field(None, description="A time, or a day in the asker's time zone.")
    created_to: DayOrMomentIn | None = Field(None, description="A time, or a day that is included whole.")
    updated_after: MomentIn | None = None
    trashed: BooleanIn = False
    fields: Annotated[str, members(DealListItem)] | None = Field(None, description=FIELDS)
    expand: OfDeals | None = Field(None, description=EXPAND)

    def asked(self) -> DealFilter:
        return DealFilter(**filters_of(self))


class ClientQuery(PageQuery, Selecting):
    """Repeats of one parameter mean *or*; different parameters mean *and*."""

    agent: list[IdIn] = Field([], max_length=50)
    client_phone: list[ClientPhoneIn] = Field([], max_length=5)
    q: QueryIn = Field("", description="A phone, its last four digits, the number of a deal, or words of the name.")
    trashed: BooleanIn = False
    order: Literal["newest_deal", "created"] = Field(
        "newest_deal",
        description="Those with the newest deal first, or the newest clients: nobody moves in that order.",
    )
    fields: Annotated[str, members(ClientListItem)] | None = Field(None, description=FIELDS)
    expand: OfClients | None = Field(None, description=EXPAND)

    def asked(self) -> ClientFilter:
        return ClientFilter(**filters_of(self))


class DealSelection(Selecting):
    """What is wanted of one deal."""

    fields: Annotated[str, members(DealOut)] | None = Field(None, description=FIELDS)
    expand: OfDeals | None = Field(None, description=EXPAND)


class ClientSelection(Selecting):
    """What is wanted of one client."""

    fields: Annotated[str, members(ClientOut)] | None = Field(None, description=FIELDS)
    expand: OfClients | None = Field(None, description=EXPAND)


def filters_of(query: PageQuery) -> dict[str, Any]:
    """Return the parameters that were sent, as the filters of the services take them."""
    sent = query.model_dump(exclude=SHOWN_ONLY, exclude_unset=True)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in sent.items()}
