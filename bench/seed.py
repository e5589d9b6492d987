"""Agencies, agents, clients and deals to measure on, and the visitors who ask for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from uuid import UUID

from django.db import connection, transaction
from django.middleware.csrf import get_token
from django.test import RequestFactory
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Agency, Role, User
from accounts.services import agencies, consents
from accounts.services.session_store import new_key, new_row
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import Client, ClientPhone, ClientToken, Deal, DealCounter, DealKind, PropertyType, Stage
from deals.services.clients import agency_of
from lk_site.encryption import last4_token, name_tokens

DEALS_OF_AN_AGENT, AGENTS_OF_AN_AGENCY, AGENTS_AT_LEAST = 1000, 10, 16
VISITORS, DEALS_OF_A_VISITOR = 16, 20
BATCH = 1000
NAMES = ("Анна Петрова", "Борис Ким", "Вера Смирнова", "Глеб Орлов", "Дарья Лебедева", "Егор Соколов", "Жанна Морозова")
STREETS = ("улица Ленина", "Лесная улица", "проспект Мира", "набережная реки Мойки", "Садовая улица", "Тверская улица")


@dataclass(frozen=True)
class Visitor:
    """An agent with a session, and some of his deals."""

    cookie: str
    csrf_token: str
    deal_ids: list[str]


def seed(deals: int) -> None:
    """Fill an empty database with so many deals, a client of his own for each."""
    agents = [
        agent
        for number in range(max(AGENTS_AT_LEAST, deals // DEALS_OF_AN_AGENT) // AGENTS_OF_AN_AGENCY + 1)
        for agent in people_of(agencies.add_agency(f"Агентство {number}", actor=Actor.system()), number)
    ]
    first_stages = {
        stage.pipeline.agency_id: stage
        for stage in Stage.objects.filter(pipeline__kind=DealKind.SALE).order_by("-position").select_related("pipeline")
    }
    rows = (deal_of(agents[i % len(agents)], first_stages, i, deals) for i in range(deals))
    while batch := list(islice(rows, BATCH)):
        insert(batch)
    DealCounter.objects.bulk_create(DealCounter(agency_id=agency, last_number=deals) for agency in first_stages)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def people_of(agency: Agency, number: int) -> Iterator[User]:
    for i in range(AGENTS_OF_AN_AGENCY):
        person = User(agency=agency, role=Role.HEAD if i == 0 else Role.AGENT)
        person.set_phone(f"7{9000000000 + number * AGENTS_OF_AN_AGENCY + i}")
        person.save(force_insert=True)
        consents.welcome(
            NAMES[i % len(NAMES)], consents.PERSONAL_DATA, consents.CONSENTS[-1].version, actor=Actor.of(person)
        )
        yield person


def deal_of(agent: User, first_stages: dict[UUID, Stage], i: int, of: int) -> Deal:
    """Return the deal number `i`, not yet saved; the deals are spread over a year."""
    at = timezone.now() - timedelta(days=365) * (of - i) / of
    agency_id = agency_of(agent)
    client = Client(agency_id=agency_id, agent=agent, name=f"{NAMES[i % len(NAMES)]} {i}", newest_deal_at=at)
    deal = Deal(
        agency_id=agency_id,
        agent=agent,
        client=client,
        number=i + 1,
        version=3,
        stage=first_stages[agency_id],
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
def insert(deals: list[Deal]) -> None:
    """Insert deals with their clients, the clients' numbers and what finds them."""
    Client.objects.bulk_create([deal.client for deal in deals])
    phones = [ClientPhone.of(deal.client, 0, f"7{9100000000 + deal.number}") for deal in deals]
    ClientPhone.objects.bulk_create(phones)
    ClientToken.objects.bulk_create(token for phone in phones for token in tokens_of(phone))
    Deal.objects.bulk_create(deals)
    with unit_of_work():
        for deal in deals:
            tell(deal)


def tell(deal: Deal) -> None:
    """Record what happened on a deal until now: it was created and changed twice."""
    actor = Actor.of(deal.agent)
    record(actor, Action.DEAL_CREATED, deal, version=1, now=deal.stage.code)
    record(actor, Action.DEAL_CHANGED, deal, version=2, fields=["price"])
    record(actor, Action.DEAL_CHANGED, deal, version=3, fields=["next_step"])


def tokens_of(phone: ClientPhone) -> Iterator[ClientToken]:
    tokens = name_tokens(phone.agency_id, phone.client.name or "") | {last4_token(phone.agency_id, phone.phone)}
    return (ClientToken(client=phone.client, agency_id=phone.agency_id, token=token) for token in tokens)


def visitors() -> list[Visitor]:
    """Open a session for each of some agents, in as many agencies as there are."""
    agents = User.objects.agents().filter(role=Role.AGENT).order_by("phone_index")[:VISITORS]
    return [visitor(agent) for agent in agents]


def visitor(agent: User) -> Visitor:
    key, token = new_key(), get_token(RequestFactory().get("/"))
    new_row(key, agent, browser="bench")
    newest = Deal.objects.visible_to(Actor.of(agent)).order_by("-created_at").values_list("id", flat=True)
    return Visitor(key, token, [str(deal_id) for deal_id in newest[:DEALS_OF_A_VISITOR]])
