"""The floor: the same answers as bare as they can be. A WSGI function, psycopg and orjson.

No session, no rights, no encryption: only the statements that the answers need, prepared and binary, and JSON of the
API's shape. What LK must write in one transaction it writes too: a create the client and what finds him, the deal, two
events under the agent's numbers, and the answer of its idempotency key; a search for a number its event; a request for
a code the challenge, its counters and the message; a check of a code the try, the session and its event. Its tables
are its own.
"""

import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from secrets import randbelow, token_urlsafe
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import orjson
import psycopg
from uuid6 import uuid7

TABLES = """
DROP TABLE IF EXISTS floor_deal, floor_client, floor_agent, floor_stage, floor_reason, floor_number, floor_phone,
    floor_token, floor_event, floor_key, floor_challenge, floor_counter, floor_message, floor_session;
CREATE TABLE floor_agent (id uuid PRIMARY KEY, name text NOT NULL, phone text NOT NULL UNIQUE, seen_at timestamptz);
CREATE TABLE floor_stage (id int PRIMARY KEY, code text NOT NULL, name text NOT NULL, kind text NOT NULL);
CREATE TABLE floor_client (id uuid PRIMARY KEY, agent_id uuid NOT NULL REFERENCES floor_agent, name text);
CREATE INDEX ON floor_client (agent_id, id DESC);
CREATE TABLE floor_phone (id uuid PRIMARY KEY, client_id uuid NOT NULL REFERENCES floor_client, phone text NOT NULL);
CREATE INDEX ON floor_phone (client_id);
CREATE INDEX ON floor_phone (phone);
CREATE TABLE floor_token (client_id uuid NOT NULL REFERENCES floor_client, token int NOT NULL);
CREATE INDEX ON floor_token (token, client_id);
CREATE TABLE floor_number (agent_id uuid PRIMARY KEY, deal int NOT NULL, event int NOT NULL DEFAULT 0);
CREATE TABLE floor_deal (
    id uuid PRIMARY KEY, number int NOT NULL, agent_id uuid NOT NULL REFERENCES floor_agent,
    client_id uuid NOT NULL REFERENCES floor_client, stage_id int NOT NULL REFERENCES floor_stage,
    kind text NOT NULL, property_type text NOT NULL, property_address text NOT NULL, price numeric(14, 2) NOT NULL,
    commission_percent numeric(5, 2), next_step_text text, next_step_on date, notes text, version int NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz
);
CREATE TABLE floor_event (
    id uuid PRIMARY KEY, agent_id uuid NOT NULL, seq int NOT NULL, at timestamptz NOT NULL, action text NOT NULL,
    object_id uuid NOT NULL, data jsonb NOT NULL, mac bytea NOT NULL, UNIQUE (agent_id, seq)
);
CREATE INDEX ON floor_event (object_id, seq);
CREATE TABLE floor_key (
    agent_id uuid, digest bytea, request bytea NOT NULL, at timestamptz NOT NULL, body text,
    PRIMARY KEY (agent_id, digest)
);
CREATE TABLE floor_challenge (
    id uuid PRIMARY KEY, token text NOT NULL UNIQUE, phone text NOT NULL, code text, tries int NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL, used_at timestamptz
);
CREATE INDEX ON floor_challenge (phone, expires_at);
CREATE TABLE floor_counter (key text PRIMARY KEY, count int NOT NULL, ends_at timestamptz NOT NULL);
CREATE TABLE floor_message (
    id uuid PRIMARY KEY, challenge_id uuid NOT NULL, phone text NOT NULL, body text, due_at timestamptz NOT NULL
);
CREATE INDEX ON floor_message (due_at);
CREATE INDEX ON floor_message (challenge_id);
CREATE TABLE floor_session (
    id uuid PRIMARY KEY, token text NOT NULL UNIQUE, agent_id uuid NOT NULL REFERENCES floor_agent,
    idle_until timestamptz NOT NULL
);
CREATE INDEX ON floor_session (agent_id);
CREATE TABLE floor_reason (id int PRIMARY KEY, code text NOT NULL, name text NOT NULL);
INSERT INTO floor_stage VALUES (1, 'new', 'Новая', 'open');
INSERT INTO floor_stage SELECT i, 'stage_' || i, 'Этап ' || i, 'open' FROM generate_series(2, 9) i;
INSERT INTO floor_reason SELECT i, 'reason_' || i, 'Причина ' || i FROM generate_series(1, 6) i;
"""
FILL = """
INSERT INTO floor_agent SELECT gen_random_uuid(), 'Анна Петрова', '7900' || lpad(i::text, 7, '0')
FROM generate_series(0, %(agents)s - 1) i;
WITH agent AS (SELECT id, row_number() OVER () - 1 AS n FROM floor_agent)
INSERT INTO floor_client SELECT gen_random_uuid(), agent.id, 'Клиент ' || i
FROM generate_series(1, %(clients)s) i JOIN agent ON agent.n = i %% %(agents)s;
INSERT INTO floor_phone SELECT gen_random_uuid(), id, '79' || lpad((row_number() OVER ())::text, 9, '0')
FROM floor_client;
INSERT INTO floor_token SELECT id, (random() * 16777215)::int FROM floor_client, generate_series(1, 8);
INSERT INTO floor_deal SELECT gen_random_uuid(), row_number() OVER (), agent_id, id, 1, 'sale', 'flat',
    'Москва, улица Ленина, дом ' || row_number() OVER (), 12500000, 2.5, 'Позвонить', current_date, 'Две комнаты', 1,
    now() - random() * interval '1 year', now(), null
FROM floor_client, generate_series(1, %(deals)s / %(clients)s);
CREATE INDEX ON floor_deal (agent_id, created_at DESC, id DESC);
CREATE INDEX ON floor_deal (client_id);
INSERT INTO floor_event SELECT gen_random_uuid(), agent_id, row_number() OVER (PARTITION BY agent_id), created_at,
    'deal.changed', id, '{"now": "new"}', sha256('') FROM floor_deal, generate_series(1, 3);
INSERT INTO floor_number SELECT agent_id, %(deals)s, max(seq) FROM floor_event GROUP BY agent_id;
ANALYZE;
"""
COLUMNS = """deal.id, number, deal.client_id, phone.phone, client.name, property_address, price, deal.kind,
    property_type, commission_percent, stage.code, stage.name, stage.kind, deal.agent_id, agent.name, next_step_text,
    next_step_on, version, created_at, updated_at, deleted_at, notes"""
FROM = """floor_deal deal JOIN floor_client client ON client.id = deal.client_id
    JOIN floor_phone phone ON phone.client_id = client.id
    JOIN floor_stage stage ON stage.id = stage_id JOIN floor_agent agent ON agent.id = deal.agent_id"""
LIST = f"""SELECT {COLUMNS} FROM {FROM} WHERE deal.agent_id = %b AND deleted_at IS NULL
    ORDER BY created_at DESC, deal.id DESC LIMIT 21"""
AFTER = LIST.replace("ORDER BY", "AND (created_at, deal.id) < (%b, %b) ORDER BY")
WITH_PHONE = LIST.replace("ORDER BY", "AND phone.phone = %b ORDER BY")
DETAIL = f"SELECT {COLUMNS} FROM {FROM} WHERE deal.id = %b"
STAGES = "SELECT code, name, kind FROM floor_stage ORDER BY id"
REASONS = "SELECT code, name FROM floor_reason ORDER BY id"
EVENTS = """SELECT event.id, at, action, data, agent.name FROM floor_event event
    JOIN floor_agent agent ON agent.id = agent_id WHERE object_id = %b ORDER BY seq DESC LIMIT 31"""
TAKE_KEY = "INSERT INTO floor_key VALUES (%b, %b, %b, now()) ON CONFLICT DO NOTHING RETURNING 1"
KEEP_ANSWER = "UPDATE floor_key SET body = %b WHERE agent_id = %b AND digest = %b"
LOCK_AGENT = "SELECT 1 FROM floor_agent WHERE id = %b FOR NO KEY UPDATE"
FIND_CLIENT = """SELECT client.id FROM floor_phone JOIN floor_client client ON client.id = client_id
    WHERE phone = %b AND agent_id = %b"""
ADD_CLIENT = "INSERT INTO floor_client VALUES (%b, %b, %b)"
ADD_PHONE = "INSERT INTO floor_phone VALUES (%b, %b, %b)"
ADD_TOKENS = "INSERT INTO floor_token SELECT %b, unnest(%b::int[])"
NEXT_NUMBER = "UPDATE floor_number SET deal = deal + 1 WHERE agent_id = %b RETURNING deal"
ADD_DEAL = """INSERT INTO floor_deal VALUES
    (%b, %b, %b, %b, 1, 'sale', '', %b, %b, null, null, null, null, 1, now(), now(), null)"""
NEXT_EVENTS = "UPDATE floor_number SET event = event + 2 WHERE agent_id = %b RETURNING event"
ADD_EVENTS = """INSERT INTO floor_event VALUES (%b, %b, %b, now(), 'client.created', %b, '{}', %b),
    (%b, %b, %b, now(), 'deal.created', %b, '{"now": "new"}', %b)"""
ADD_EVENT = """INSERT INTO floor_event SELECT %b, %b, event, now(), %t, %b, '{}', %b FROM floor_number
    WHERE agent_id = %b"""
NEXT_EVENT = "UPDATE floor_number SET event = event + 1 WHERE agent_id = %b RETURNING event"
AGENT_OF = "SELECT id, name FROM floor_agent WHERE phone = %t"
ADD_CHALLENGE = "INSERT INTO floor_challenge VALUES (%b, %t, %t, %t, 0, now() + interval '5 minutes', null)"
COUNT = """INSERT INTO floor_counter SELECT key, 1, now() + interval '1 hour' FROM unnest(%b::text[]) key
    ON CONFLICT (key) DO UPDATE SET count = floor_counter.count + 1 RETURNING count"""
ADD_MESSAGE = "INSERT INTO floor_message VALUES (%b, %b, %t, %t, now())"
TAKE_TRY = """UPDATE floor_challenge SET tries = tries + 1 WHERE token = %t AND phone = %t AND used_at IS NULL
    AND expires_at > now() AND tries < 5 RETURNING id, code"""
USE_UP = "UPDATE floor_challenge SET used_at = now(), code = null WHERE id = %b"
FORGET = "DELETE FROM floor_message WHERE challenge_id = %b"
FORGIVE = "UPDATE floor_counter SET count = count - 1 WHERE key = %t"
SEEN = "UPDATE floor_agent SET seen_at = now() WHERE id = %b"
ADD_SESSION = "INSERT INTO floor_session VALUES (%b, %t, %b, now() + interval '8 hours')"
SENDS = ("10min", "hour", "day", "source hour", "source day", "network", "unknown hour", "unknown day", "range")
TOKENS = list(range(8))  # as many as find a client by name and surname and by the end of his number

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
    """Answer GET /deals?agent=…, GET /deals/ID, GET /cards/ID, POST /deals, /codes and /sessions."""
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "POST":
        body, status = posted(path, environ["wsgi.input"].read(), environ), "201 Created"
    elif path == "/deals":
        asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        body, status = listed(UUID(asked["agent"]), asked), "200 OK"
    else:
        read = card if path.startswith("/cards") else detail
        body, status = read(UUID(path.rpartition("/")[2])), "200 OK"
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def posted(path: str, request: bytes, environ: dict[str, Any]) -> bytes:
    if path == "/codes":
        return send_code(orjson.loads(request)["phone"])
    if path == "/sessions":
        return check_code(**orjson.loads(request))
    return create(environ["HTTP_IDEMPOTENCY_KEY"], request)


def listed(agent_id: UUID, asked: dict[str, str]) -> bytes:
    if phone := asked.get("phone"):
        with connection().transaction():
            add_event(agent_id, "client.searched", agent_id)
        return page(run(WITH_PHONE, agent_id, phone).fetchall())
    if after := asked.get("after"):
        created_at, _, deal_id = after.partition(",")
        return page(run(AFTER, agent_id, datetime.fromisoformat(created_at), UUID(deal_id)).fetchall())
    return page(run(LIST, agent_id).fetchall())


def page(rows: list[Row]) -> bytes:
    items = [as_dict(row) for row in rows[:20]]
    return as_json({"items": items, "next_cursor": items[-1]["id"] if len(rows) > 20 else None})


def detail(deal_id: UUID) -> bytes:
    return as_json(whole(deal_id))


def card(deal_id: UUID) -> bytes:
    """Answer with what the page of a deal shows: the deal, where it can go, why it may be lost, and what happened."""
    stages = [dict(zip(("code", "name", "kind"), row, strict=True)) for row in run(STAGES)]
    reasons = [dict(zip(("code", "name"), row, strict=True)) for row in run(REASONS)]
    names = ("id", "at", "action", "data", "actor")
    timeline = [dict(zip(names, row, strict=True)) for row in run(EVENTS, deal_id)]
    return as_json({**whole(deal_id), "stages": stages, "reasons": reasons, "timeline": timeline[:30]})


def whole(deal_id: UUID) -> dict[str, Any]:
    row = run(DETAIL, deal_id).fetchone()
    return {**as_dict(row), "client_phone": row[3], "notes": row[21]} if row else {}


def create(key: str, request: bytes) -> bytes:
    """Create a deal for a client who is looked for and made, once for a key, and answer as the detail does."""
    deal = orjson.loads(request)
    agent_id, digest = UUID(deal["agent"]), sha256(key.encode()).digest()
    with connection().transaction():
        run(TAKE_KEY, agent_id, digest, sha256(request).digest()).fetchone()
        run(LOCK_AGENT, agent_id)
        run(FIND_CLIENT, deal["client_phone"], agent_id).fetchone()
        deal_id = add_deal(deal, agent_id, add_client(deal, agent_id))
        body = detail(deal_id)
        run(KEEP_ANSWER, body.decode(), agent_id, digest)
    return body


def add_client(deal: dict[str, Any], agent_id: UUID) -> UUID:
    client_id = new_id()
    run(ADD_CLIENT, client_id, agent_id, deal["client_name"])
    run(ADD_PHONE, new_id(), client_id, deal["client_phone"])
    run(ADD_TOKENS, client_id, TOKENS)
    return client_id


def add_deal(deal: dict[str, Any], agent_id: UUID, client_id: UUID) -> UUID:
    deal_id, mac = new_id(), bytes(33)
    (number,) = run(NEXT_NUMBER, agent_id).fetchone() or (0,)
    run(ADD_DEAL, deal_id, number, agent_id, client_id, deal["property_address"], Decimal(deal["price"]))
    (seq,) = run(NEXT_EVENTS, agent_id).fetchone() or (0,)
    run(ADD_EVENTS, new_id(), agent_id, seq - 1, client_id, mac, new_id(), agent_id, seq, deal_id, mac)
    return deal_id


def add_event(agent_id: UUID, action: str, object_id: UUID) -> None:
    run(NEXT_EVENT, agent_id)
    run(ADD_EVENT, new_id(), agent_id, action, object_id, bytes(33), agent_id)


def send_code(phone: str) -> bytes:
    """Keep a challenge with its code and the message that carries it, counted against every limit, and answer."""
    challenge_id, token, code = new_id(), token_urlsafe(16), f"{randbelow(1_000_000):06}"
    with connection().transaction():
        run(AGENT_OF, phone).fetchone()
        run(COUNT, [f"{name} {phone}" for name in SENDS]).fetchall()
        run(ADD_CHALLENGE, challenge_id, token, phone, code)
        run(ADD_MESSAGE, new_id(), challenge_id, phone, code)
    return as_json({"resend_after_s": 60, "token": token})


def check_code(phone: str, code: str, token: str) -> bytes:
    """Open a session with a challenge's code, which is used up, and answer who it is."""
    with connection().transaction():
        challenge_id, right = run(TAKE_TRY, token, phone).fetchone() or (None, None)
        run(COUNT, [f"failures {phone}", "failures source"]).fetchall()
        if challenge_id is None or code != right:
            return as_json({"user": None})
        run(USE_UP, challenge_id)
        run(FORGET, challenge_id)
        run(FORGIVE, f"failures {phone}")
        run(FORGIVE, "failures source")
        agent_id, name = run(f"{AGENT_OF} FOR NO KEY UPDATE", phone).fetchone() or (None, "")
        run(SEEN, agent_id)
        session_id, key = new_id(), token_urlsafe(32)
        run(ADD_SESSION, session_id, key, agent_id)
        add_event(agent_id, "session.opened", session_id)
    return as_json({"user": {"id": agent_id, "name": name}, "session": key})


def new_id() -> UUID:
    return UUID(bytes=uuid7().bytes)


def as_json(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_UTC_Z)


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
        "created_at": row[18],
        "updated_at": row[19],
        "deleted_at": row[20],
    }
