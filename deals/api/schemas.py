"""What programs send and get of deals and clients."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Schema
from pydantic import ConfigDict

from deals.models import PHONES_AT_MOST, DealKind, PropertyType
from lk_site.schemas import (
    ClientPhoneIn,
    DayIn,
    EmailIn,
    IdIn,
    Line,
    MoneyIn,
    MoneyOut,
    PercentIn,
    PercentOut,
    StrictSchema,
    Text,
    TimeOut,
    absent,
)

AddressIn = Annotated[str, Line(300, least=1)]
NameIn = Annotated[str, Line(200)]
NotesIn = Annotated[str, Text(5000)]
PhonesIn = Annotated[list[ClientPhoneIn], Field(min_length=1, max_length=PHONES_AT_MOST)]


FOR_AGENT = "Whom it is for: needed with a key, refused with a session."


def like(**example: Any) -> ConfigDict:
    """Return the configuration of a schema whose example says what its fields' examples together would not."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class Choice(Schema):
    """A thing of a closed or growing list: its code for programs, its name in the language asked for."""

    code: str = Field(examples=["showing"])
    name: str = Field(examples=["Показы"])


class StageOut(Choice):
    kind: str = Field(description="`open`, `won` or `lost`", examples=["open"])


class PipelineOut(Schema):
    code: str = Field(examples=["sale"])
    name: str = Field(examples=["Продажа"])
    kind: str = Field(description="The kind of deal it is for.", examples=["sale"])
    stages: list[StageOut]


class PipelinesOut(Schema):
    items: list[PipelineOut]
    lost_reasons: list[Choice] = Field(examples=[[{"code": "price", "name": "Не сошлись в цене"}]])


class LostReasonOut(Choice):
    comment: str | None = Field(examples=["Купил у застройщика"])


class AgentOut(Schema):
    id: UUID
    name: str | None = Field(examples=["Анна Соколова"])


class KeyNamed(Schema):
    """A program of the agency, by its key."""

    id: UUID
    name: str = Field(examples=["Бухгалтерия"])


class NextStep(Schema):
    text: str = Field(examples=["Позвонить насчёт показа"])
    due_on: date | None = Field(examples=["2026-12-01"])


class NextStepIn(StrictSchema):
    text: Annotated[str, Line(300, least=1)] = Field(examples=["Позвонить насчёт показа"])
    due_on: DayIn


class NextStepPatch(StrictSchema):
    """What is left out stays; both are needed where there was no next step."""

    text: Annotated[str, Line(300, least=1)] = absent("Подписать аванс")
    due_on: DayIn = absent("2026-12-05")


class DealListItem(Schema):
    id: UUID
    number: int = Field(description="Short, per agency, never used again.", examples=[12])
    client: UUID
    client_phone_masked: str = Field(examples=["+7 916 ***-**-67"])
    client_name: str | None = Field(examples=["Мария Петрова"])
    property_address: str = Field(examples=["Москва, Большая Полянка, 30, кв. 12"])
    price: MoneyOut
    kind: str = Field(examples=["sale"])
    property_type: str | None = Field(examples=["flat"])
    commission_percent: PercentOut | None
    stage: StageOut
    status: str = Field(description="`open`, `won` or `lost`", examples=["open"])
    lost_reason: LostReasonOut | None = Field(examples=[None])
    agent: AgentOut
    next_step: NextStep | None
    version: int = Field(examples=[1])
    created_at: TimeOut
    updated_at: TimeOut
    deleted_at: TimeOut | None = Field(examples=[None])


class DealOut(DealListItem):
    client_phone: str | None = Field(
        description="Digits, or null where only the mask is shown.", examples=["79161234567"]
    )
    notes: str | None = Field(examples=["Ключи у соседа"])


class DealPage(Schema):
    items: list[DealListItem]
    next_cursor: str | None = Field(examples=[None])


class DealIn(StrictSchema):
    """A deal and whom it is for: `client`, or `client_phone` and perhaps `client_name`."""

    model_config = like(
        client_phone="+7 916 123-45-67",
        client_name="Мария Петрова",
        property_address="Москва, Большая Полянка, 30, кв. 12",
        price="12500000.00",
        property_type="flat",
        commission_percent="2.50",
        next_step={"text": "Позвонить насчёт показа", "due_on": "2026-12-01"},
    )

    client: IdIn | None = None
    client_phone: ClientPhoneIn | None = None
    client_name: NameIn | None = None
    property_address: AddressIn
    price: MoneyIn
    kind: DealKind = DealKind.SALE
    agent: IdIn | None = Field(None, description=FOR_AGENT)
    property_type: PropertyType | None = None
    commission_percent: PercentIn | None = None
    next_step: NextStepIn | None = None
    notes: NotesIn | None = None


class DealPatch(StrictSchema):
    """A merge patch: fields that are absent stay, `null` empties one that may be empty."""

    model_config = like(price="11900000.00", next_step={"text": "Подписать аванс", "due_on": "2026-12-05"})

    property_address: AddressIn = absent()
    price: MoneyIn = absent()
    property_type: PropertyType | None = None
    commission_percent: PercentIn | None = None
    next_step: NextStepPatch | None = None
    notes: NotesIn | None = None


class StageMoveIn(StrictSchema):
    model_config = like(to="lost", lost_reason="other", comment="Купил у застройщика")

    to: Annotated[str, Line(30, least=1)] = Field(
        description="The code of a stage of the deal's pipeline.", examples=["showing"]
    )
    lost_reason: Annotated[str, Line(30)] | None = Field(None, examples=["price"])
    comment: Annotated[str, Text(1000)] | None = None


class HandOverIn(StrictSchema):
    agent: IdIn


class NoteIn(StrictSchema):
    text: Annotated[str, Text(5000, least=1)] = Field(examples=["Смотрели дважды, просят скидку 3 %"])


class NoteOut(Schema):
    id: UUID
    text: str = Field(examples=["Смотрели дважды, просят скидку 3 %"])
    author: AgentOut | None = Field(description="Null where a program wrote it.")
    key: KeyNamed | None = Field(description="The program that wrote it.", examples=[None])
    created_at: TimeOut
    edited_at: TimeOut | None = Field(examples=[None])


class TimelineEntryOut(Schema):
    """One thing that happened. A note stands, with its newest text, where it was added."""

    id: UUID
    at: TimeOut
    action: str = Field(examples=["deal.moved"])
    actor: AgentOut | None = Field(description="Null where it was a program, LK itself or its staff.")
    key: KeyNamed | None = Field(description="The program that did it.", examples=[None])
    version: int | None = Field(description="Of the deal or client, that the change made.")
    fields: list[str] = Field(description="Names of what changed.", examples=[["stage"]])
    was_stage: Choice | None = Field(examples=[{"code": "new", "name": "Новая"}])
    now_stage: Choice | None
    lost_reason: Choice | None = Field(examples=[None])
    was_agent: AgentOut | None = Field(examples=[None])
    now_agent: AgentOut | None = Field(examples=[None])
    text: str | None = Field(description="A note, a reason or a comment.", examples=[None])
    is_text_erased: bool = Field(examples=[False])
    note: UUID | None = Field(description="On notes: the id to edit or delete it by.", examples=[None])
    is_edited: bool = Field(examples=[False])


class TimelinePage(Schema):
    items: list[TimelineEntryOut]
    next_cursor: str | None = Field(examples=[None])


class ClientListItem(Schema):
    id: UUID
    name: str | None = Field(examples=["Мария Петрова"])
    phones_masked: list[str] = Field(examples=[["+7 916 ***-**-67"]])
    email: str | None = Field(examples=["maria@example.ru"])
    agent: AgentOut
    version: int = Field(examples=[1])
    created_at: TimeOut
    updated_at: TimeOut
    deleted_at: TimeOut | None = Field(examples=[None])


class ClientOut(ClientListItem):
    phones: list[str] | None = Field(
        description="Digits, or null where only the masks are shown.", examples=[["79161234567"]]
    )
    notes: str | None = Field(examples=["Ключи у соседа"])


class ClientPage(Schema):
    items: list[ClientListItem]
    next_cursor: str | None = Field(examples=[None])


class ClientIn(StrictSchema):
    model_config = like(phones=["+7 916 123-45-67"], name="Мария Петрова", email="maria@example.ru")

    phones: PhonesIn
    agent: IdIn | None = Field(None, description=FOR_AGENT)
    name: NameIn | None = None
    email: EmailIn | None = None
    notes: NotesIn | None = None


class ClientPatch(StrictSchema):
    model_config = like(phones=["79161234567", "79267654321"], notes="Звонить после шести")

    phones: PhonesIn = absent()
    name: NameIn | None = None
    email: EmailIn | None = None
    notes: NotesIn | None = None


class RevealIn(StrictSchema):
    model_config = like(reason="Жалоба клиента")

    reason: Annotated[str, Line(300)] | None = None


class RevealOut(Schema):
    phones: list[str] = Field(examples=[["79161234567"]])
