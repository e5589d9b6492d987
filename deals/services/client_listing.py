"""Lists of clients, those with the newest deal first or the newest client, never by name."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from django.db.models import Q

from accounts.actor import Actor
from accounts.models import User
from deals.models import Client, ClientPhone
from deals.models.clients import ClientQuerySet
from deals.services import queries
from deals.services.deal_rows import opened, sealed_field
from deals.services.queries import Query, begins_in
from lk_site.cursors import Keyset, Position, sift
from lk_site.encryption import Cell
from lk_site.formats import mask_phone

NEWEST_DEAL_FIRST = Keyset(("-newest_deal_at", datetime.fromisoformat), ("-id", UUID))
NEWEST_FIRST = Keyset(("-id", UUID))  # nobody moves in this order: who walks it for a copy misses nobody
ORDERS = {"newest_deal": NEWEST_DEAL_FIRST, "created": NEWEST_FIRST}
COLUMNS = (
    *("id", "version", "created_at", "updated_at", "deleted_at", "newest_deal_at", "name", "email"),
    *("agent_id", "agent__name"),
)


@dataclass(frozen=True, slots=True)
class ClientFilter:
    """What a list of clients is narrowed to; `client_phone` is digits with country code."""

    q: str = ""
    agent: tuple[UUID, ...] = ()
    client_phone: tuple[str, ...] = ()
    trashed: bool = False
    order: str = "newest_deal"  # of ORDERS


class ClientRow(NamedTuple):
    """One row of a list. Fields that end in `_cell` are sealed; the properties open them."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    newest_deal_at: datetime
    name_cell: Cell | None
    email_cell: Cell | None
    agent_id: UUID
    agent_name_cell: Cell | None
    numbers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return opened(self.name_cell, sealed_field(Client, "name"), self.id)

    @property
    def email(self) -> str:
        return opened(self.email_cell, sealed_field(Client, "email"), self.id)

    @property
    def agent_name(self) -> str:
        return opened(self.agent_name_cell, sealed_field(User, "name"), self.agent_id)

    @property
    def masked_numbers(self) -> list[str]:
        return [mask_phone(number) for number in self.numbers]


class ClientPage(NamedTuple):
    """Rows, and the sort key of the last one read, for its order; None where no other page follows."""

    rows: list[ClientRow]
    last: Position | None


def list_clients(asked: ClientFilter, *, actor: Actor, limit: int, after: Position | None = None) -> ClientPage:
    """Return a page of the clients that the actor may see. Raises QueryTooShort.

    Looking for a full number leaves evidence, once for a walk through its pages.
    """
    query = queries.understood(asked.q)
    phones = [*asked.client_phone, *filter(None, [query.phone])]
    if phones and after is None:
        queries.record_search(phones, actor=actor)
    clients, order = narrowed(asked, query, actor), ORDERS[asked.order]

    def sort_key(row: ClientRow) -> Position:
        return tuple(getattr(row, name) for name in order.names)

    def read(position: Position | None, count: int) -> list[ClientRow]:
        return rows_of(cast(ClientQuerySet, order.after(clients, position)[:count]))

    if query.terms or query.last_digits:
        return ClientPage(*sift(read, after, limit, keep=lambda row: fits(row, query), key=sort_key))
    rows = read(after, limit + 1)
    return ClientPage(rows[:limit], sort_key(rows[limit - 1]) if len(rows) > limit else None)


def narrowed(asked: ClientFilter, query: Query, actor: Actor) -> ClientQuerySet:
    """Return the clients that the database can tell; names and last digits are checked once more after opening."""
    clients = Client.objects.trashed_visible_to(actor) if asked.trashed else Client.objects.visible_to(actor)
    if asked.agent:
        clients = clients.filter(agent_id__in=asked.agent)
    if asked.client_phone:
        clients = clients.filter(pk__in=queries.clients_with(asked.client_phone, actor))
    return clients.filter(*of_query(query, actor))


def of_query(query: Query, actor: Actor) -> list[Q]:
    """Return the conditions of a search, of which each must hold. A deal's number finds its client."""
    assert actor.agency_id is not None
    if query.number is not None:
        return [Q(deals__number=query.number, deals__deleted_at=None)]
    if query.phone:
        return [Q(pk__in=queries.clients_with([query.phone], actor))]
    if query.last_digits:
        return [Q(pk__in=queries.clients_ending_in(query.last_digits, actor.agency_id))]
    named = [queries.clients_named(term, actor.agency_id) for term in query.terms]
    return [Q(pk__in=ids) for ids in named if ids is not None]


def fits(row: ClientRow, query: Query) -> bool:
    """Tell whether a number ends as was asked, and every term begins a word of the name."""
    ends = not query.last_digits or any(number.endswith(query.last_digits) for number in row.numbers)
    return ends and all(begins_in(row.name, term) for term in query.terms)


def rows_of(clients: ClientQuerySet) -> list[ClientRow]:
    """Return the rows of a page with all numbers of each client: two statements."""
    rows = [ClientRow._make((*columns, ())) for columns in clients.cells(*COLUMNS)]
    numbers = queries.numbers_of(row.id for row in rows) if rows else {}
    return [row._replace(numbers=tuple(numbers.get(row.id, ()))) for row in rows]


def rows_by_id(client_ids: Iterable[UUID], *, actor: Actor) -> dict[UUID, ClientRow]:
    """Return those of these clients that are the actor's, trashed ones too, with their numbers: one statement."""
    clients = Client.objects.of_actor(actor).filter(pk__in=set(client_ids)).order_by("pk", "phones__position")
    found, field = dict[UUID, ClientRow](), sealed_field(ClientPhone, "phone")
    for *columns, phone_id, cell in clients.cells(*COLUMNS, "phones__id", "phones__phone"):
        row = found.get(columns[0]) or ClientRow._make((*columns, ()))
        found[row.id] = row._replace(numbers=(*row.numbers, opened(cell, field, phone_id)))
    return found
