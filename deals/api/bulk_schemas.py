"""What programs send to `/deals/bulk` and `/clients/bulk`, and what they get.

Each shape of an item is the body of the single operation, with what its address and its `If-Match` say.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema
from pydantic import ConfigDict, PlainValidator, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

from deals.api.schemas import ClientIn, ClientPatch, DealIn, DealPatch, HandOverIn, NoteIn, StageMoveIn, like
from deals.services.bulk import ITEMS_AT_MOST
from lk_site.schemas import IdIn, StrictSchema

ID = "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"  # of examples
VERSION_AT_MOST = 999_999_999

VersionIn = Annotated[StrictInt, Field(ge=1, le=VERSION_AT_MOST)]


class Named(StrictSchema):
    """Which row an item is about."""

    id: IdIn


class Versioned(Named):
    """Which row, and the version that it is changed from: without one the item is 428."""

    version: VersionIn | None = None


class CreateDeal(DealIn):
    model_config = like(
        do="create", client_phone="+7 916 123-45-67", property_address="Москва, Арбат, 1", price="12500000.00"
    )

    do: Literal["create"]


class EditDeal(DealPatch, Versioned):
    model_config = like(do="edit", id=ID, version=3, price="11900000.00")

    do: Literal["edit"]


class MoveDeal(StageMoveIn, Versioned):
    model_config = like(do="move", id=ID, version=3, to="showing")

    do: Literal["move"]


class TrashDeal(Versioned):
    model_config = like(do="trash", id=ID, version=3)

    do: Literal["trash"]


class RestoreDeal(Versioned):
    model_config = like(do="restore", id=ID, version=4)

    do: Literal["restore"]


class HandOverDeal(HandOverIn, Versioned):
    model_config = like(do="hand_over", id=ID, version=3, agent=ID)

    do: Literal["hand_over"]


class AddNote(NoteIn, Named):
    model_config = like(do="add_note", id=ID, text="Смотрели дважды")

    do: Literal["add_note"]


class CreateClient(ClientIn):
    model_config = like(do="create", phones=["+7 916 123-45-67"], name="Мария Петрова")

    do: Literal["create"]


class EditClient(ClientPatch, Versioned):
    model_config = like(do="edit", id=ID, version=3, notes="Звонить после шести")

    do: Literal["edit"]


class TrashClient(Versioned):
    model_config = like(do="trash", id=ID, version=3)

    do: Literal["trash"]


class RestoreClient(Versioned):
    model_config = like(do="restore", id=ID, version=4)

    do: Literal["restore"]


class OtherItem(Schema):
    """Anything else is refused too, in the row of its item: the others are done."""

    model_config = ConfigDict(extra="allow")


def an_object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "must be an object")
    return value


DealItem = CreateDeal | EditDeal | MoveDeal | TrashDeal | RestoreDeal | HandOverDeal | AddNote | OtherItem
ClientItem = CreateClient | EditClient | TrashClient | RestoreClient | OtherItem
DealItemIn = Annotated[dict[str, Any], PlainValidator(an_object, json_schema_input_type=DealItem)]
ClientItemIn = Annotated[dict[str, Any], PlainValidator(an_object, json_schema_input_type=ClientItem)]


class BulkIn(StrictSchema):
    """Items are done in their order. `atomic`: all or none. `dry_run`: all are tried, and none is kept."""

    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=ITEMS_AT_MOST)]
    atomic: StrictBool = False
    dry_run: StrictBool = False


class DealBulkIn(BulkIn):
    items: Annotated[list[DealItemIn], Field(min_length=1, max_length=ITEMS_AT_MOST)]


class ClientBulkIn(BulkIn):
    items: Annotated[list[ClientItemIn], Field(min_length=1, max_length=ITEMS_AT_MOST)]


class ItemError(Schema):
    pointer: str = Field(examples=["/items/0/price"])
    code: str = Field(examples=["out_of_range"])
    message: str


class ItemProblem(Schema):
    """The refusal of one item, as the single operation would say it, without what its own request would add."""

    type: str
    title: str
    status: int = Field(examples=[422])
    detail: str
    code: str = Field(examples=["invalid"])
    errors: list[ItemError]


class BulkRow(Schema):
    index: int = Field(description="Of the item, from 0.", examples=[0])
    status: int = Field(description="That the single operation would have, or 424.", examples=[201])
    id: UUID | None = Field(description="Of the row; of one that was made only where it is kept.")
    version: int | None = Field(description="That it has now; of deals and clients.", examples=[1])
    problem: ItemProblem | None = Field(examples=[None])


class BulkOut(Schema):
    items: list[BulkRow]
    committed: bool = Field(description="Whether what was done is kept.", examples=[True])
