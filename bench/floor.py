"""The floor: list, detail and create of deals as bare as they can be. A WSGI function, psycopg and orjson.

No session, no rights, no encryption, no evidence: only the statements that the answers need, prepared and binary, and
JSON of the API's shape. Its tables are its own.
"""

import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import orjson
import psycopg
from uuid6 import uuid7

TABLES = """
DROP TABLE IF EXISTS floor_deal, floor_client, floor_agent, floor_stage, floor_number;
CREATE TABLE floor_agent (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE floor_stage (id int PRIMARY KEY, code text NOT NULL, name text NOT NULL, kind text NOT NULL);
CREATE TABLE floor_client (id uuid PRIMARY KEY, agent_id uuid NOT NULL, name text, phone text NOT NULL);
CREATE TABLE floor_number (agent_id uuid PRIMARY KEY, last int NOT NULL);
CREATE TABLE floor_deal (
    id uuid PRIMARY KEY, number int NOT NULL, agent_id uuid NOT NULL REFERENCES floor_agent,
    client_id uuid NOT NULL REFERENCES floor_client, stage_id int NOT NULL REFERENCES floor_stage,
    kind text NOT NULL, property_type text NOT NULL, property_address text NOT NULL, price numeric(14, 2) NOT NULL,
    commission_percent numeric(5, 2), next_step_text text, next_step_on date, notes text, version int NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz
);
INSERT INTO floor_stage VALUES (1, 'new', 'Новая', 'open');
"""
FILL = """
INSERT INTO floor_agent SELECT gen_random_uuid(), 'Анна Петрова' FROM generate_series(1, %(agents)s);
WITH agent AS (SELECT id, row_number() OVER () - 1 AS n FROM floor_agent)
INSERT INTO floor_client SELECT gen_random_uuid(), agent.id, 'Клиент ' || i, '79' || lpad(i::text, 9, '0')
FROM generate_series(1, %(deals)s) i JOIN agent ON agent.n = i %% %(agents)s;
INSERT INTO floor_deal SELECT gen_random_uuid(), row_number() OVER (), agent_id, id, 1, 'sale', 'flat',
    'Москва, улица Ленина, дом ' || right(phone, 5), 12500000, 2.5, 'Позвонить', current_date, 'Две комнаты', 1,
    now() - random() * interval '1 year', now(), null FROM floor_client;
CREATE INDEX ON floor_deal (agent_id, created_at DESC, id DESC);
INSERT INTO floor_number SELECT id, %(deals)s FROM floor_agent;
ANALYZE;
"""
COLUMNS = """deal.id, number, client_id, client.phone, client.name, property_address, price, deal.kind, property_type,
    commission_percent, stage.code, stage.name, stage.kind, deal.agent_id, agent.name, next_step_text, next_step_on,
    version, created_at, updated_at, deleted_at, notes"""
FROM = """floor_deal deal JOIN floor_client client ON client.id = client_id
    JOIN floor_stage stage ON stage.id = stage_id JOIN floor_agent agent ON agent.id = deal.agent_id"""
LIST = f"""SELECT {COLUMNS} FROM {FROM} WHERE deal.agent_id = %b AND deleted_at IS NULL
    ORDER BY created_at DESC, deal.id DESC LIMIT 21"""
DETAIL = f"SELECT {COLUMNS} FROM {FROM} WHERE deal.id = %b"
NEXT_NUMBER = "UPDATE floor_number SET last = last + 1 WHERE agent_id = %b RETURNING last"
ADD_CLIENT = "INSERT INTO floor_client VALUES (%b, %b, %b, %b)"
ADD_DEAL = """INSERT INTO floor_deal VALUES
    (%b, %b, %b, %b, 1, 'sale', '', %b, %b, null, null, null, null, 1, now(), now(), null)"""

Row = tuple[Any, ...]
Start = Callable[[str, list[tuple[str, str]]], Any]
local = threading.local()


def connection() -> psycopg.Connection[Row]:
    """Return this thread's connection, open for as long as the thread lives."""
    if not hasattr(local, "connection"):
        local.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    kept: psycopg.Connection[Row] = local.connection
    return kept


def run(sql: str, *values: Any) -> psycopg.Cursor[Row]:
    return connection().cursor(binary=True).execute(sql, values, prepare=True)


def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Answer GET /deals?agent=…, GET /deals/ID and POST /deals."""
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "POST":
        body, status = create(orjson.loads(environ["wsgi.input"].read())), "201 Created"
    elif path == "/deals":
        body, status = page(UUID(parse_qs(environ["QUERY_STRING"])["agent"][0])), "200 OK"
    else:
        body, status = detail(UUID(path.rpartition("/")[2])), "200 OK"
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def page(agent_id: UUID) -> bytes:
    rows = run(LIST, agent_id).fetchall()
    items = [as_dict(row) for row in rows[:20]]
    return orjson.dumps({"items": items, "next_cursor": items[-1]["id"] if len(rows) > 20 else None})


def detail(deal_id: UUID) -> bytes:
    row = run(DETAIL, deal_id).fetchone()
    return orjson.dumps({**as_dict(row), "client_phone": row[3], "notes": row[21]} if row else None)


def create(deal: dict[str, Any]) -> bytes:
    """Insert a client and a deal with the agent's next number in one transaction, and answer as the detail does."""
    deal_id, client_id, agent_id = UUID(bytes=uuid7().bytes), UUID(bytes=uuid7().bytes), UUID(deal["agent"])
    with connection().transaction():
        run(ADD_CLIENT, client_id, agent_id, deal["client_name"], deal["client_phone"])
        (number,) = run(NEXT_NUMBER, agent_id).fetchone() or (0,)
        run(ADD_DEAL, deal_id, number, agent_id, client_id, deal["property_address"], Decimal(deal["price"]))
    return detail(deal_id)


def rfc3339(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else None


def as_dict(row: Row) -> dict[str, Any]:
    return {
        "id": row[0],
        "number": row[1],
        "client": row[2],
        "client_phone_masked": f"+7 {row[3][1:4]} ***-**-{row[3][-2:]}",
        "client_name": row[4],
        "property_address": row[5],
        "price": str(row[6]),
        "kind": row[7],
        "property_type": row[8],
        "commission_percent": None if row[9] is None else str(row[9]),
        "stage": {"code": row[10], "name": row[11], "kind": row[12]},
        "status": row[12],
        "lost_reason": None,
        "agent": {"id": row[13], "name": row[14]},
        "next_step": None if row[15] is None else {"text": row[15], "due_on": row[16]},
        "version": row[17],
        "created_at": rfc3339(row[18]),
        "updated_at": rfc3339(row[19]),
        "deleted_at": rfc3339(row[20]),
    }
