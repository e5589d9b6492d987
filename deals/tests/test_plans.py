"""Every list has its index: how PostgreSQL reads the pages of a large agency and of one agent in it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actor import Actor
from accounts.tests.people import make_agent
from deals.models import Client, Deal
from deals.services import trash
from deals.services.client_listing import ClientFilter, list_clients
from deals.services.listing import DealFilter, list_deals
from deals.tests.making import PHONE, by

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.long,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="these plans are PostgreSQL's"),
]

AGENTS, CLIENTS_OF_AGENT = 25, 600  # with two deals each: 30,000 in one agency
FILL = """
insert into deals_client (id, agency_id, agent_id, newest_deal_at, version, created_at, updated_at, deleted_at)
select gen_random_uuid(), agency_id, id, now() - n * interval '7 minutes' - random() * interval '1 minute', 1, now(),
  now(), case when n %% 100 = 0 then now() end
from accounts_user, generate_series(1, %(clients)s) n where kind = 'agent';
insert into deals_clienttoken (client_id, agency_id, token)
select id, agency_id, n * 5000 + random() * 5000 from deals_client, generate_series(1, 5) n;
insert into deals_clientphone (id, client_id, agency_id, agent_id, position, phone, phone_index, is_live)
select gen_random_uuid(), id, agency_id, agent_id, 0, '', id::text::bytea, deleted_at is null
from deals_client where agency_id <> %(agency)s;
insert into deals_deal (id, agency_id, agent_id, client_id, number, kind, property_type, property_address, search_text,
  price, stage_id, stage_since, version, created_at, updated_at, deleted_at)
select gen_random_uuid(), c.agency_id, c.agent_id, c.id, row_number() over (partition by c.agency_id), 'sale', '',
  'Москва', 'москва, улица ' || (random() * 1000)::int, 1000000 + random() * 1000000, s.id, now(), 1,
  now() - random() * interval '900 days', now(), case when random() < 0.01 then now() end
from deals_client c, generate_series(1, 2) n, deals_stage s join deals_pipeline p on p.id = s.pipeline_id
where p.agency_id = c.agency_id and p.kind = 'sale'
  and s.code = (array['won', 'lost', 'won', 'showing'])[1 + abs(hashtext(c.id::text || n)) %% 4];
analyze
"""
SCANS = re.compile(
    r"(?:Index Scan|Index Only Scan|Bitmap Index Scan)(?: Backward)? (?:using|on) (\w+)|(Seq Scan on \w+)"
)
OF_DEALS_AND_CLIENTS = re.compile(r"(deal_|client_|deals_deal_|deals_client_)\w+|Seq Scan on deals_(deal|client)")
KEYS = {  # how a row that was found is completed
    *("deals_deal_pkey", "deals_client_pkey", "client_phone_position"),
    "client_walk_of_agency",  # agency and id
}

Plan = set[str]


@pytest.fixture
def filled(agency: Any, anna: Any, boris: Any, vera: Any, gleb: Any) -> Any:
    for _ in range(AGENTS - 3):
        make_agent(agency, None)
    with connection.cursor() as cursor:
        for statement in FILL.split(";"):
            cursor.execute(statement, {"clients": CLIENTS_OF_AGENT, "agency": str(agency.pk)})
    return agency


def indexes(call: Callable[[], object]) -> Plan:
    """Return by which indexes a call finds its deals and clients, and which tables of them it reads whole."""
    with CaptureQueriesContext(connection) as captured:
        call()
    found: Plan = set()
    with connection.cursor() as cursor:
        for query in captured:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN {query['sql']}")
                scans = SCANS.findall("\n".join(line for (line,) in cursor.fetchall()))
                found |= {index or table for index, table in scans}
    return {name for name in found if OF_DEALS_AND_CLIENTS.fullmatch(name)} - KEYS


def middle(model: type[Model], actor: Actor, order: str) -> tuple[Any, ...]:
    rows = model._default_manager.filter(agency_id=actor.agency_id).order_by(f"-{order}", "-id")
    if not actor.is_head:
        rows = rows.filter(agent_id=actor.user_id)
    position: tuple[Any, ...] = rows.values_list(order, "id")[rows.count() // 2]
    return position


@pytest.mark.parametrize("who", ["agent", "agency"])
def test_pages_are_read_by_their_indexes(filled, anna, vera, who):
    actor = by(vera if who == "agency" else anna)
    deal, client = middle(Deal, actor, "created_at"), middle(Client, actor, "newest_deal_at")

    def deals(after: Any = None, **asked: Any) -> Plan:
        return indexes(lambda: list_deals(DealFilter(**asked), actor=actor, limit=20, after=after))

    def clients(after: Any = None, **asked: Any) -> Plan:
        return indexes(lambda: list_clients(ClientFilter(**asked), actor=actor, limit=20, after=after))

    deal_list, client_list = f"deal_list_of_{who}", f"client_list_of_{who}"
    assert deals() == deals(deal) == {deal_list}
    assert deals(status=("open",)) == deals(deal, status=("won",)) == {deal_list}
    assert deals(stage=("showing",)) == {deal_list}
    assert deals(trashed=True) <= {"deal_list_of_trash", "deal_sweep_trash", deal_list}
    assert deals(q="#777") == {"deal_number_in_agency"}
    assert deals(client=(client[1],)) == {"deal_list_of_client"}
    assert deals(client_phone=(PHONE,)) == deals(q=PHONE) == {"client_phone_search", "deal_list_of_client"}
    assert clients() == clients(client) == {client_list}
    assert clients(trashed=True) <= {"client_list_of_trash", "client_sweep_trash", client_list}
    assert clients(client_phone=(PHONE,)) == {"client_phone_search"}
    assert clients(q="марфа") == {"client_token_search"}


def test_a_rare_stage_the_trash_and_one_agent_of_many_are_found_by_their_indexes(filled, anna, vera):
    def deals(**asked: Any) -> Plan:
        return indexes(lambda: list_deals(DealFilter(**asked), actor=by(vera), limit=20))

    assert deals(stage=("closing",)) == {"deal_list_of_stage"}
    assert deals(trashed=True) == {"deal_list_of_trash"}
    assert deals(agent=(anna.pk,)) == deals(agent=(anna.pk,), status=("open",)) == {"deal_list_of_agent"}


def test_a_prepared_list_of_one_agent_is_read_in_its_order_and_not_sorted(filled, anna):
    columns = "agency_id = $1 and agent_id = $2 and deleted_at is null order by created_at desc, id desc limit 21"
    with connection.cursor() as cursor:
        cursor.execute("set local plan_cache_mode = force_generic_plan")
        cursor.execute(f"prepare page (uuid, uuid) as select id from deals_deal where {columns}")
        cursor.execute("explain execute page (%s, %s)", [str(filled.pk), str(anna.pk)])
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("deallocate page")
        cursor.execute("select stxname from pg_statistic_ext where stxname like '%%tells_agency'")
        learned = {name for (name,) in cursor.fetchall()}
    assert "Sort" not in plan, plan
    assert learned == {"deals_deal_agent_tells_agency", "deals_client_agent_tells_agency"}


def test_the_sweep_finds_what_it_purges_by_its_indexes(filled):
    assert indexes(lambda: trash.purge(timezone.now())) == {
        "deal_sweep_trash",
        "client_sweep_trash",
        "deal_list_of_client",
    }
