"""The requests that are measured, of the floor and of LK."""

import json

import psycopg
from django.conf import settings

from bench.environment import ORIGIN, URL
from bench.load import Call
from bench.seed import Visitor, visitors

LIST, DETAIL, CREATE = "API list of 20", "API detail", "API create"
HTML_LIST, HTML_CARD = "HTML list of 20", "HTML deal card"


def floor_calls() -> dict[str, list[Call]]:
    with psycopg.connect(URL) as connection:
        agents = [str(row[0]) for row in connection.execute("SELECT id FROM floor_agent LIMIT 16")]
        deals = [str(row[0]) for row in connection.execute("SELECT id FROM floor_deal LIMIT 320")]
    post = {"Content-Type": "application/json", "Idempotency-Key": "{n}"}
    return {
        LIST: [Call(f"/deals?agent={agent}") for agent in agents],
        DETAIL: [Call(f"/deals/{deal}") for deal in deals],
        HTML_CARD: [Call(f"/cards/{deal}") for deal in deals],
        CREATE: [Call("/deals", post, "POST", new_deal(agent=agent)) for agent in agents],
    }


def product_calls() -> dict[str, list[Call]]:
    def headers(who: Visitor) -> dict[str, str]:
        return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={who.cookie}; {settings.CSRF_COOKIE_NAME}={who.csrf_token}"}

    def post(who: Visitor) -> dict[str, str]:
        once = {"Idempotency-Key": "{n}", "X-CSRFToken": who.csrf_token}
        return {**headers(who), **once, "Content-Type": "application/json", "Origin": ORIGIN}

    people = visitors()
    return {
        LIST: [Call("/api/v1/deals/", headers(who)) for who in people],
        DETAIL: [Call(f"/api/v1/deals/{deal}", headers(who)) for who in people for deal in who.deal_ids],
        CREATE: [Call("/api/v1/deals/", post(who), "POST", new_deal()) for who in people],
        HTML_LIST: [Call("/deals/", headers(who)) for who in people],
        HTML_CARD: [Call(f"/deals/{deal}/", headers(who)) for who in people for deal in who.deal_ids],
    }


def new_deal(**more: str) -> str:
    deal = {"client_phone": "79{n}", "client_name": "Инна Новикова", "price": "12500000.00", **more}
    return json.dumps({**deal, "property_address": "Москва, Лесная улица, дом 5, квартира 12"}, ensure_ascii=False)
