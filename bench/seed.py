"""Agencies, agents, clients and deals to measure on, and the visitors who ask for them.

Agencies are made by the product's services; their clients, deals and events by as many processes as there are cores,
which seal and chain them as the product does and COPY them, one agency at a time.
"""

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from uuid import UUID

import psycopg
from django.db import connection, models, transaction
from django.middleware.csrf import get_token
from django.test import RequestFactory
from django.utils import timezone
from psycopg import sql

from accounts.actor import Actor
from accounts.models import Action, Agency, AgencyHead, Event, Role, User
from accounts.services import agencies, consents
from accounts.services.session_store import new_key, new_row
from accounts.services.unit_of_work import take_numbers, who
from deals.models import Client, ClientPhone, ClientToken, Deal, DealCounter, DealKind, PropertyType, Stage
from deals.services.clients import agency_of
from lk_site import hot_writes
from lk_site.encryption import last4_token, name_tokens
from lk_site.startup import leave_database

DEALS_OF_AN_AGENT, DEALS_OF_A_CLIENT, AGENTS_AT_LEAST = 1000, 2, 20
AGENTS_OF_AN_AGENCY, AGENTS_OF_THE_LARGEST = 10, 110  # the head of the largest one sees page 5,000, of 20 deals each
VISITORS, DEALS_OF_A_VISITOR = 16, 20
BATCH = 1000  # deals
NAMES = ("Анна Петрова", "Борис Ким", "Вера Смирнова", "Глеб Орлов", "Дарья Лебедева", "Егор Соколов", "Жанна Морозова")
STREETS = ("улица Ленина", "Лесная улица", "проспект Мира", "набережная реки Мойки", "Садовая улица", "Тверская улица")


@dataclass(frozen=True)
class Office:
    """An agency to be filled: its people, the stage where deals begin, and which deals of all are its own."""

    agency_id: UUID
    people: list[User]
    first_stage: Stage
    begins_at: int
    deals: int


@dataclass(frozen=True)
class Visitor:
    """An agent with a session, some of his deals, and numbers of his clients."""

    cookie: str
    csrf_token: str
    deal_ids: list[str]
    phones: list[str]


def seed(deals: int) -> None:
    """Fill an empty database with so many deals, two for each client."""
    todo = sorted(offices(deals), key=lambda office: -office.deals)
    leave_database()  # no connection survives a fork
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.imap_unordered(fill, todo, chunksize=1), 1):
            print(f"\r{done} of {len(todo)} agencies ", end="", flush=True)
    print()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def offices(deals: int) -> Iterator[Office]:
    """Make the agencies and their people, and yield what is to be filled; the largest holds a tenth of all."""
    agents = max(AGENTS_AT_LEAST, deals // DEALS_OF_AN_AGENT)
    sizes = [AGENTS_OF_THE_LARGEST] if agents > 2 * AGENTS_OF_THE_LARGEST else []
    sizes += [AGENTS_OF_AN_AGENCY] * ((agents - sum(sizes)) // AGENTS_OF_AN_AGENCY)
    people = begun = 0
    for number, size in enumerate(sizes):
        agency = agencies.add_agency(f"Агентство {number}", actor=Actor.system())
        stage = Stage.objects.filter(pipeline__agency=agency, pipeline__kind=DealKind.SALE).order_by("position")[0]
        members = [person(agency, people + i, is_head=i == 0) for i in range(size)]
        people += size
        ends_at = deals * people // sum(sizes)
        yield Office(agency.pk, members, stage, begun, ends_at - begun)
        begun = ends_at


def person(agency: Agency, number: int, *, is_head: bool) -> User:
    user = User(agency=agency, role=Role.HEAD if is_head else Role.AGENT)
    user.set_phone(f"7{9000000000 + number}")
    user.save(force_insert=True)
    consent = consents.CONSENTS[-1].version
    consents.welcome(NAMES[number % len(NAMES)], consents.PERSONAL_DATA, consent, actor=Actor.of(user))
    return user


def fill(office: Office) -> None:
    """Insert the deals of an agency with their clients, the clients' numbers, what finds them, and what happened."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            cursor.execute("SET session_replication_role = replica")  # foreign keys are right by the way rows are made
    DealCounter.objects.create(agency_id=office.agency_id, last_number=office.deals)
    deals = deals_of(office)
    while batch := list(islice(deals, BATCH)):
        insert(batch)
    leave_database()


def deals_of(office: Office) -> Iterator[Deal]:
    """Yield the deals of an agency, not yet saved, the oldest first: over a year, in turn for each of its agents."""
    now = timezone.now()
    for i in range(office.deals):
        agent = office.people[i // DEALS_OF_A_CLIENT % len(office.people)]
        at = now - timedelta(days=365) * (office.deals - i) / office.deals
        if i % DEALS_OF_A_CLIENT == 0:
            client = client_of(agent, office.begins_at + i, at)
        yield deal_of(client, office.first_stage, i, at)


def client_of(agent: User, number: int, at: datetime) -> Client:
    name = f"{NAMES[number % len(NAMES)]} {number}"
    return Client(agency_id=agency_of(agent), agent=agent, name=name, newest_deal_at=at)


def deal_of(client: Client, stage: Stage, i: int, at: datetime) -> Deal:
    deal = Deal(
        agency_id=client.agency_id,
        agent=client.agent,
        client=client,
        number=i + 1,
        version=3,
        stage=stage,
        price=Decimal(3_000_000 + i % 500 * 50_000),
        property_type=PropertyType.FLAT,
        commission_percent=Decimal("2.5"),
        next_step_text="Позвонить и договориться о показе",
        next_step_on=at.date() + timedelta(days=7),
        created_at=at,
        updated_at=at,
        stage_since=at,
    )
    deal.set_address(f"Москва, {STREETS[i % len(STREETS)]}, дом {i % 200 + 1}, квартира {i % 97 + 1}")
    return deal


@transaction.atomic
def insert(deals: Sequence[Deal]) -> None:
    """Insert deals of one agency, and everything that belongs to them."""
    clients = list({deal.client.pk: deal.client for deal in deals}.values())
    copy(clients)
    phones = [ClientPhone.of(client, 0, phone_of(client.name or "")) for client in clients]
    copy(phones)
    copy([token for phone in phones for token in tokens_of(phone)])
    copy(deals)
    append([event for deal in deals for event in events_of(deal)])


def phone_of(name: str) -> str:
    """Return the number of a client: it ends in the digits that his name ends in."""
    return f"7{9100000000 + int(name.rpartition(' ')[2])}"


def tokens_of(phone: ClientPhone) -> Iterator[ClientToken]:
    tokens = name_tokens(phone.agency_id, phone.client.name or "") | {last4_token(phone.agency_id, phone.phone)}
    return (ClientToken(client=phone.client, agency_id=phone.agency_id, token=token) for token in tokens)


def events_of(deal: Deal) -> Iterator[Event]:
    """Yield what happened on a deal until now: it was created and changed twice."""
    yield event_of(deal, Action.DEAL_CREATED, version=1, data={"now": deal.stage.code})
    yield event_of(deal, Action.DEAL_CHANGED, version=2, fields=["price"])
    yield event_of(deal, Action.DEAL_CHANGED, version=3, fields=["next_step"])


def event_of(deal: Deal, action: Action, **more: object) -> Event:
    ids = {"object_id": deal.pk, "deal_id": deal.pk, "client_id": deal.client_id}
    actor = Actor.of(deal.agent)
    return Event(
        agency_id=deal.agency_id, action=action, at=deal.created_at, object_type="deal", **ids, **who(actor), **more
    )


def append(events: Sequence[Event]) -> None:
    """Number and chain events of one agency, as a unit of work does, and COPY them."""
    agency_id = events[0].agency_id
    last, mac = take_numbers(agency_id, len(events))
    for seq, event in enumerate(events, last - len(events) + 1):
        event.seq = seq
        event.mac = mac = event.mac_after(mac)
    copy(events)
    hot_writes.update(AgencyHead(pk=agency_id, mac=mac), "mac")


def copy(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model by COPY; their values go through their fields, encryption included."""
    model, fields = type(rows[0]), hot_writes.written_fields(type(rows[0]))
    columns = sql.SQL(", ").join([sql.Identifier(str(field.column)) for field in fields])
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(model._meta.db_table), columns)
    with psycopg.Cursor(connection.connection).copy(into) as lines:
        for row in rows:
            lines.write_row(hot_writes.values_of(row, fields, True))


def visitors() -> list[Visitor]:
    """Open a session for each of some agents, in as many agencies as there are."""
    agents = list(User.objects.agents().filter(role=Role.AGENT).order_by("phone_index")[:VISITORS])
    return [visitor(agent) for agent in agents]


def head_of_the_largest() -> tuple[User, int]:
    """Return the head who sees most deals, and how many they are."""
    largest = DealCounter.objects.order_by("-last_number").select_related("agency")[0]
    return User.objects.agents().get(agency=largest.agency_id, role=Role.HEAD), largest.last_number


def visitor(agent: User) -> Visitor:
    key, token = new_key(), get_token(RequestFactory().get("/"))
    new_row(key, agent, browser="bench")
    newest = Deal.objects.visible_to(Actor.of(agent)).select_related("client").order_by("-created_at", "-id")
    deals = list(newest.prefetch_related("client__phones")[:DEALS_OF_A_VISITOR])
    return Visitor(key, token, [str(deal.pk) for deal in deals], phones_of(deals))


def phones_of(deals: Iterable[Deal]) -> list[str]:
    return list(dict.fromkeys(number for deal in deals for number in deal.client.numbers))
