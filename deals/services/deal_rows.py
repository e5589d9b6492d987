"""Rows of deal lists: tuples as the database gives them, opened where they are read. The common list is compiled."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.db.models import BinaryField, DateTimeField, FilteredRelation, Q, QuerySet

from accounts.actor import Actor, ActorKind
from accounts.models import Agency, User
from deals.models import Client, ClientPhone, Deal, StageKind
from deals.models.deals import DealQuerySet, commission_of
from deals.models.pipelines import name_in
from lk_site.cursors import Keyset, Position
from lk_site.encryption import Cell, EncryptedTextField, encrypted_field, open_cell
from lk_site.encryption.cells import Unset
from lk_site.formats import mask_phone
from lk_site.hot_reads import Compiled, Param

Tuples = QuerySet[Any, tuple[Any, ...]]
NEWEST_FIRST = Keyset(("-created_at", datetime.fromisoformat), ("-id", UUID))
COLUMNS = (
    *("id", "number", "version", "kind", "property_type", "property_address", "price", "commission_percent"),
    *("created_at", "updated_at", "deleted_at"),
    *("stage__code", "stage__name_ru", "stage__name_en", "stage__kind", "stage_since"),
    *("lost_reason__code", "lost_reason__name_ru", "lost_reason__name_en", "lost_comment"),
    *("next_step_text", "next_step_on"),
    *("client_id", "client__name", "main_phone__id", "main_phone__phone"),
    *("agent_id", "agent__name"),
)


class DealRow(NamedTuple):
    """One row of a list. Fields that end in `_cell` are sealed; the properties open them."""

    id: UUID
    number: int
    version: int
    kind: str
    property_type: str
    property_address: str
    price: Decimal
    commission_percent: Decimal | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    stage_code: str
    stage_name_ru: str
    stage_name_en: str
    status: str
    stage_since: datetime
    lost_reason_code: str | None
    lost_reason_name_ru: str | None
    lost_reason_name_en: str | None
    lost_comment_cell: Cell | None
    next_step_cell: Cell | None
    next_step_on: date | None
    client_id: UUID
    client_name_cell: Cell | None
    main_phone_id: UUID | None
    main_phone_cell: Cell | None
    agent_id: UUID
    agent_name_cell: Cell | None

    def stage_name(self, language: str | None) -> str:
        return name_in(language, self.stage_name_ru, self.stage_name_en)

    def lost_reason_name(self, language: str | None) -> str:
        return name_in(language, self.lost_reason_name_ru or "", self.lost_reason_name_en or "")

    @property
    def lost_comment(self) -> str:
        return opened(self.lost_comment_cell, sealed_field(Deal, "lost_comment"), self.id)

    @property
    def next_step_text(self) -> str:
        return opened(self.next_step_cell, sealed_field(Deal, "next_step_text"), self.id)

    @property
    def client_name(self) -> str:
        return opened(self.client_name_cell, sealed_field(Client, "name"), self.client_id)

    @property
    def client_phone(self) -> str:
        """The main number in clear: showing it is a look."""
        if self.main_phone_id is None:
            return ""
        return opened(self.main_phone_cell, sealed_field(ClientPhone, "phone"), self.main_phone_id)

    @property
    def client_phone_masked(self) -> str:
        return mask_phone(phone) if (phone := self.client_phone) else ""

    @property
    def agent_name(self) -> str:
        return opened(self.agent_name_cell, sealed_field(User, "name"), self.agent_id)

    @property
    def is_open(self) -> bool:
        return self.status == StageKind.OPEN

    @property
    def commission(self) -> Decimal | None:
        """Our commission in roubles, or None while no percentage is agreed."""
        return commission_of(self.price, self.commission_percent)

    def is_overdue(self, today: date) -> bool:
        return self.is_open and self.next_step_on is not None and self.next_step_on < today


@cache
def sealed_field(model: type[Any], name: str) -> EncryptedTextField[Any, Any]:
    return encrypted_field(model, name)


def opened(cell: Cell | None, field: EncryptedTextField[Any, Any], key: UUID) -> str:
    if cell is None:
        return ""
    if isinstance(cell.plain, Unset):
        cell.plain = open_cell(cell, field, key)
    return cell.plain or ""


def row_columns(deals: DealQuerySet, *more: str) -> Tuples:
    """Return deals as the tuples that `DealRow` names, with `more` columns after them."""
    main = FilteredRelation("client__phones", condition=Q(client__phones__position=0))
    return deals.annotate(main_phone=main).cells(*COLUMNS, *more)


# --- the list that everybody opens, compiled

ANY_AGENCY, ANY_USER = Param("agency", Agency._meta.pk), Param("user", User._meta.pk)
ANYBODY = {
    is_head: Actor(
        kind=ActorKind.AGENT,
        agency_id=cast(Any, ANY_AGENCY),
        user_id=cast(Any, ANY_USER),
        is_head=is_head,
    )
    for is_head in (False, True)
}
ANY_NUMBER = Param("phone_index", BinaryField())
ANYWHERE = (Param("created_at", DateTimeField()), Param("id", Deal._meta.pk))


def compiled_page(is_head: bool, position: Position | None) -> Compiled:
    """Return the compiled list of what an actor sees, `visible_to` included."""
    return Compiled(lambda: NEWEST_FIRST.after(row_columns(Deal.objects.visible_to(ANYBODY[is_head])), position))


FIRST_PAGE = {is_head: compiled_page(is_head, None) for is_head in ANYBODY}
NEXT_PAGE = {is_head: compiled_page(is_head, ANYWHERE) for is_head in ANYBODY}


def first_page(actor: Actor, count: int) -> list[DealRow]:
    """Return the newest deals that the actor may see."""
    return rows_of(FIRST_PAGE[actor.is_head].rows(limit=count, **who(actor)))


def next_page(actor: Actor, after: Position, count: int) -> list[DealRow]:
    """Return the deals that come after a position."""
    created_at, deal_id = after
    return rows_of(NEXT_PAGE[actor.is_head].rows(limit=count, created_at=created_at, id=deal_id, **who(actor)))


def compiled_phone_page(is_head: bool) -> Compiled:
    """Return the compiled list of what an actor sees of the clients with one number."""
    actor = ANYBODY[is_head]

    def build() -> Tuples:
        with_number = ClientPhone.objects.visible_to(actor).filter(phone_index=ANY_NUMBER).order_by()
        deals = Deal.objects.visible_to(actor).filter(client_id__in=with_number.values("client_id"))
        return cast(Tuples, NEWEST_FIRST.after(cast(Any, row_columns(deals)), None))

    return Compiled(build)


PHONE_PAGE = {is_head: compiled_phone_page(is_head) for is_head in ANYBODY}


def phone_page(actor: Actor, index: bytes, count: int) -> list[DealRow]:
    """Return the newest deals of the clients with the number of this index: planning that list costs more than it."""
    return rows_of(PHONE_PAGE[actor.is_head].rows(limit=count, phone_index=index, **who(actor)))


def who(actor: Actor) -> dict[str, UUID | None]:
    return {"agency": actor.agency_id} if actor.is_head else {"agency": actor.agency_id, "user": actor.user_id}


def rows_of(tuples: Iterable[tuple[Any, ...]]) -> list[DealRow]:
    """Return rows, those of one agent with one cell of his name: it is opened once a page."""
    rows, names = [], dict[UUID, Cell | None]()
    for row in tuples:
        rows.append(DealRow._make((*row[:-1], names.setdefault(row[-2], row[-1]))))
    return rows
