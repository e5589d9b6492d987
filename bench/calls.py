"""The requests that are measured, of the floor and of LK."""

import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
from django.conf import settings
from django.middleware.csrf import get_token
from django.test import RequestFactory
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Challenge, User
from accounts.models.base import hash_of
from accounts.models.login import CHALLENGE_PHONE
from accounts.services import codes
from bench.environment import ORIGIN, URL
from bench.load import Call
from bench.rows import CHECK_CODE, CREATE, DEEP, DETAIL, HTML_CARD, HTML_LIST, LIST, SEARCH, SEND_CODE
from bench.seed import Visitor, head_of_the_largest, visitor, visitors
from deals.models import Deal
from deals.services.deal_rows import NEWEST_FIRST
from lk_site.encryption import blind_index

CODE, CHALLENGES = "042317", 12_000
PAGE, DEEP_PAGE = 20, 5000
JSON = {"Content-Type": "application/json"}

Calls = dict[str, list[Call]]


def floor_calls() -> Calls:
    with psycopg.connect(URL) as connection:
        agents = [str(row[0]) for row in connection.execute("SELECT id FROM floor_agent ORDER BY phone LIMIT 16")]
        deals = [str(row[0]) for row in connection.execute("SELECT id FROM floor_deal LIMIT 320")]
        phones = connection.execute(
            "SELECT agent_id, phone FROM floor_phone phone JOIN floor_client client ON client.id = client_id"
            " WHERE agent_id = ANY(%s::uuid[]) LIMIT 320",
            [agents],
        ).fetchall()
        middle = connection.execute(
            "SELECT created_at, id FROM floor_deal WHERE agent_id = %s ORDER BY created_at DESC OFFSET 200 LIMIT 16",
            [agents[0]],
        ).fetchall()
        connection.execute("TRUNCATE floor_challenge, floor_counter, floor_message, floor_session, floor_key")
        people = [row[0] for row in connection.execute("SELECT phone FROM floor_agent ORDER BY phone")]
        proofs = [
            {"phone": people[i % len(people)], "code": CODE, "token": f"token {i}"} for i in range(3 * CHALLENGES)
        ]
        with connection.cursor().copy("COPY floor_challenge (id, token, phone, code, expires_at) FROM STDIN") as lines:
            for i, proof in enumerate(proofs):
                lines.write_row(
                    (UUID(int=i), proof["token"], proof["phone"], CODE, timezone.now() + timedelta(hours=2))
                )
        connection.execute("ANALYZE floor_challenge")
    return {
        LIST: [Call(f"/deals?agent={agent}") for agent in agents],
        DEEP: [Call(f"/deals?agent={agents[0]}&after={at:%Y-%m-%dT%H:%M:%S.%f}%2B00:00,{id}") for at, id in middle],
        DETAIL: [Call(f"/deals/{deal}") for deal in deals],
        HTML_CARD: [Call(f"/cards/{deal}") for deal in deals],
        SEARCH: [Call(f"/deals?agent={agent}&phone={phone}") for agent, phone in phones],
        CREATE: [Call("/deals", {**JSON, "Idempotency-Key": "{n}"}, "POST", new_deal(agent=agent)) for agent in agents],
        SEND_CODE: [Call("/codes", JSON, "POST", json.dumps({"phone": "79{n}"}))],
        CHECK_CODE: [Call("/sessions", JSON, "POST", json.dumps(proof)) for proof in proofs],
    }


def product_calls() -> Calls:
    people = visitors()
    token, post = get_token(RequestFactory().get("/")), {**JSON, "Origin": ORIGIN}
    return {
        LIST: [Call("/api/v1/deals/", headers(who)) for who in people],
        DEEP: list(deep_pages()),
        DETAIL: [Call(f"/api/v1/deals/{deal}", headers(who)) for who in people for deal in who.deal_ids],
        CREATE: [Call("/api/v1/deals/", creating(who), "POST", new_deal()) for who in people],
        SEARCH: [Call(f"/api/v1/deals/?client_phone={phone}", headers(who)) for who in people for phone in who.phones],
        HTML_LIST: [Call("/deals/", headers(who)) for who in people],
        HTML_CARD: [Call(f"/deals/{deal}/", headers(who)) for who in people for deal in who.deal_ids],
        SEND_CODE: [Call("/api/v1/auth/send-code", post, "POST", json.dumps({"phone": "79{n}"}))],
        CHECK_CODE: [
            Call("/api/v1/auth/verify-code", {**post, "X-CSRFToken": token, "Cookie": cookies}, "POST", proof)
            for cookies, proof in proofs(token)
        ],
    }


def headers(who: Visitor) -> dict[str, str]:
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={who.cookie}; {settings.CSRF_COOKIE_NAME}={who.csrf_token}"}


def creating(who: Visitor) -> dict[str, str]:
    return {**headers(who), **JSON, "Idempotency-Key": "{n}", "X-CSRFToken": who.csrf_token, "Origin": ORIGIN}


def new_deal(**more: str) -> str:
    deal = {"client_phone": "79{n}", "client_name": "Инна Новикова", "price": "12500000.00", **more}
    return json.dumps({**deal, "property_address": "Москва, Лесная улица, дом 5, квартира 12"}, ensure_ascii=False)


def deep_pages() -> Iterator[Call]:
    """Yield page 5,000 of the head who has so many, or else his last whole page, as its cursor names it."""
    head, deals = head_of_the_largest()
    who, request = visitor(head), RequestFactory().get("/api/v1/deals/")
    last = min(PAGE * (DEEP_PAGE - 1), deals - 2 * PAGE)
    newest = Deal.objects.visible_to(Actor.of(head)).newest_first().values_list("created_at", "id")
    for position in newest[last - 16 : last]:
        yield Call(f"/api/v1/deals/?cursor={NEWEST_FIRST.cursor(request, position)}", headers(who))


def proofs(csrf_token: str) -> Iterator[tuple[str, str]]:
    """Open challenges for agents, all with one code, and yield the cookies and the body that prove each."""
    phones = [agent.phone or "" for agent in User.objects.agents().order_by("phone_index")[:1000]]
    rows = [challenge(phones[i % len(phones)], f"token-{i}") for i in range(CHALLENGES)]
    Challenge.objects.bulk_create(rows)
    for i, row in enumerate(rows):
        cookies = f"{settings.CHALLENGE_COOKIE_NAME}=token-{i}; {settings.CSRF_COOKIE_NAME}={csrf_token}"
        yield cookies, json.dumps({"phone": row.phone, "code": CODE})


def challenge(phone: str, token: str) -> Challenge:
    now = timezone.now()
    row = Challenge(
        token_hash=hash_of(token),
        phone=phone,
        phone_index=blind_index("agent_index", CHALLENGE_PHONE, phone),
        resend_at=now,
        created_at=now,
        expires_at=now + timedelta(hours=2),
    )
    row.code_digest = codes.digest(row, phone, CODE)
    return row
