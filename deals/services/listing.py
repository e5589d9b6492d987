"""Lists of deals, newest first, for both doors: one filter, one kind of row, pages by key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from accounts.actor import Actor
from deals.models import ClientPhone, Deal, Stage
from deals.models.deals import DealQuerySet
from deals.services import queries
from deals.services.deal_rows import (
    NEWEST_FIRST,
    DealRow,
    Tuples,
    first_page,
    next_page,
    phone_page,
    row_columns,
    rows_of,
)
from deals.services.queries import Query, begins_in
from lk_site.cursors import Position, sift
from lk_site.text import fold


@dataclass(frozen=True, slots=True)
class DealFilter:
    """What a list is narrowed to (api.md). Several values of one field mean *or*, different fields *and*.

    `stage` and `kind` are codes, `client_phone` digits with country code. `created_from` and `created_to` are moments,
    or days in the reader's time zone; both ends are included.
    """

    status: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    agent: tuple[UUID, ...] = ()
    client: tuple[UUID, ...] = ()
    client_phone: tuple[str, ...] = ()
    q: str = ""
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    created_from: date | datetime | None = None
    created_to: date | datetime | None = None
    updated_after: datetime | None = None
    trashed: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is the list that everybody opens: all deals that are not in the trash."""
        return replace(self, q=self.q.strip()) == DealFilter()


class DealPage(NamedTuple):
    """Rows, and the sort key of the last one read (for `NEWEST_FIRST.cursor`), None where no other page follows."""

    rows: list[DealRow]
    last: Position | None


def list_deals(asked: DealFilter, *, actor: Actor, limit: int, after: Position | None = None) -> DealPage:
    """Return a page of the deals that the actor may see. Raises QueryTooShort.

    Looking for a full number leaves evidence, once for a walk through its pages.
    """
    if asked.is_plain:
        return page_of(next_page(actor, after, limit + 1) if after else first_page(actor, limit + 1), limit)
    query = queries.understood(asked.q)
    phones = [*asked.client_phone, *filter(None, [query.phone])]
    if phones and after is None:
        queries.record_search(phones, actor=actor)
    if after is None and (index := lone_index(asked, query, phones, actor)):
        return page_of(phone_page(actor, index, limit + 1), limit)
    deals = row_columns(narrowed(asked, query, actor))
    if query.last_digits:
        return ending_page(deals, query.last_digits, limit, after)
    if query.terms:
        return DealPage(*sift(reading(deals), after, limit, keep=lambda row: fits(row, query.terms), key=sort_key))
    return page_of(reading(deals)(after, limit + 1), limit)


def lone_index(asked: DealFilter, query: Query, phones: Sequence[str], actor: Actor) -> bytes | None:
    """Return the index of a number that is all that is asked for, under one key: the list for it is compiled."""
    is_alone = len(phones) == 1 and replace(asked, q="", client_phone=()).is_plain
    if not is_alone or query not in (Query(), Query(phone=phones[0])):
        return None
    assert actor.agency_id is not None
    indexes = ClientPhone.indexes_of(actor.agency_id, phones[0])
    return indexes[0] if len(indexes) == 1 else None


def narrowed(asked: DealFilter, query: Query, actor: Actor) -> DealQuerySet:
    """Return the deals that the database can tell; words and last digits are checked once more after opening."""
    deals = Deal.objects.trashed_visible_to(actor) if asked.trashed else Deal.objects.visible_to(actor)
    deals = deals.filter(*of_query(query, actor))
    if asked.client_phone:
        deals = deals.filter(client_id__in=queries.clients_with(asked.client_phone, actor))
    conditions = {
        "stage_id__in": stage_ids(asked, actor),
        "kind__in": asked.kind,
        "agent_id__in": asked.agent,
        "client_id__in": asked.client,
        "price__gte": asked.price_min,
        "price__lte": asked.price_max,
        "updated_at__gt": asked.updated_after,
    }
    given = {name: value for name, value in conditions.items() if value not in (None, ())}
    return deals.filter(created_within(asked, actor), **given)


def stage_ids(asked: DealFilter, actor: Actor) -> list[UUID] | None:
    """Return the stages that the filter's statuses and codes mean, None where it names neither.

    Only of a stage named by its id does the planner know how rare it is: 50,000 deals, none in it, took 79 ms by code.
    """
    given = {name: value for name, value in (("kind__in", asked.status), ("code__in", asked.stage)) if value}
    return list(Stage.objects.visible_to(actor).filter(**given).values_list("pk", flat=True)) if given else None


def of_query(query: Query, actor: Actor) -> list[Q]:
    """Return the conditions of a search, of which each must hold."""
    assert actor.agency_id is not None
    if query.number is not None:
        return [Q(number=query.number)]
    if query.phone:
        return [Q(client_id__in=queries.clients_with([query.phone], actor))]
    if query.last_digits:
        return [Q(client_id__in=queries.clients_ending_in(query.last_digits, actor.agency_id))]
    return [of_term(term, actor.agency_id) for term in query.terms]


def of_term(term: str, agency_id: UUID) -> Q:
    in_address = Q(search_text__contains=term)
    named = queries.clients_named(term, agency_id)
    return in_address if named is None else in_address | Q(client_id__in=named)


def created_within(asked: DealFilter, actor: Actor) -> Q:
    """Return the condition of the creation time; days are days of the reader's time zone."""
    zone = ZoneInfo(actor.user.time_zone) if actor.user else ZoneInfo("UTC")
    condition, start, end = Q(), asked.created_from, asked.created_to
    if start is not None:
        condition &= Q(created_at__gte=start if isinstance(start, datetime) else datetime.combine(start, time(), zone))
    if isinstance(end, datetime):
        return condition & Q(created_at__lte=end)
    if end is not None:
        condition &= Q(created_at__lt=datetime.combine(end + timedelta(days=1), time(), zone))
    return condition


# --- reading


def reading(deals: Tuples) -> Callable[[Position | None, int], list[DealRow]]:
    """Return the function that reads the next rows after a position."""

    def read(position: Position | None, count: int) -> list[DealRow]:
        return rows_of(cast(Tuples, NEWEST_FIRST.after(cast(Any, deals), position))[:count])

    return read


def page_of(rows: Sequence[DealRow], limit: int) -> DealPage:
    """Return a page of rows that were read with one more than fits."""
    return DealPage(list(rows[:limit]), sort_key(rows[limit - 1]) if len(rows) > limit else None)


def ending_page(deals: Tuples, digits: str, limit: int, after: Position | None) -> DealPage:
    """Return the deals of clients of whom a number ends in these digits."""
    read, numbers = reading(deals), dict[UUID, list[str]]()

    def read_with_numbers(position: Position | None, count: int) -> list[DealRow]:
        rows = read(position, count)
        numbers.update(queries.numbers_of(row.client_id for row in rows))
        return rows

    def ends(row: DealRow) -> bool:
        return any(number.endswith(digits) for number in numbers.get(row.client_id, ()))

    return DealPage(*sift(read_with_numbers, after, limit, keep=ends, key=sort_key))


def fits(row: DealRow, terms: Sequence[str]) -> bool:
    """Tell whether every term is in the address or begins a word of the client's name."""
    address = fold(row.property_address)
    return all(term in address or begins_in(row.client_name, term) for term in terms)


def sort_key(row: DealRow) -> Position:
    return row.created_at, row.id
