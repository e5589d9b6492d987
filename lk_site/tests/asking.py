"""What each route is asked with, so that whoever may do the thing succeeds: what it is about, and the body."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.test import Client as Browser

from accounts.services.consents import CONSENTS
from lk_site.tests.walking import Route, World

NEWEST = CONSENTS[-1]
ABOUT = {  # of a hole in a pattern: the thing whose id stands there, unless the route asks for another one
    "deal_id": "deal",
    "client_id": "client",
    "note_id": "note",
    "session_id": "session",
    "operation_id": "operation",
    "key_id": "key",
    "webhook_id": "webhook",
    "delivery_id": "delivery",
    "alarm_id": "alarm",
}
OTHERS = {  # words of method and pattern -> the things that stand in the holes instead
    "/undo": {"deal_id": "moved"},
    "undo-move": {"deal_id": "moved"},
    "deal_id>/restore": {"deal_id": "trashed"},
    "client_id>/restore": {"client_id": "gone"},
    "client_id>/trash": {"client_id": "alone"},
    "DELETE api/v1/clients": {"client_id": "alone"},
}
QUERIES = {"GET api/v1/lookups/addresses": {"q": "Тверская"}}  # what must stand in the query; look-ups are off
TERMS = {"property_address": "Москва, Арбат, 1", "price": "100"}
SIGNED = dict.fromkeys(("credential_id", "client_data", "authenticator_data", "signature"), "e30")
BODIES: dict[str, dict[str, Any]] = {
    "POST api/v1/auth/send-code": {"phone": "79161112233"},
    "POST api/v1/auth/verify-code": {"phone": "79161112233", "code": "123456"},
    "POST api/v1/auth/step-up/verify": {"code": "123456"},
    "POST api/v1/auth/verify-second-factor": {"code": "123456"},
    "POST api/v1/auth/passkey": SIGNED,
    "POST api/v1/auth/step-up/passkey": SIGNED,
    "POST api/v1/me/factors/passkeys": {"name": "Телефон", "client_data": "e30", "attestation": "oA"},
    "POST api/v1/me/factors/totp/confirm": {"code": "123456"},
    "POST api/v1/keys": {"name": "Касса", "scopes": ["deals:read"]},
    "PATCH api/v1/keys/<uuidstr:key_id>": {"name": "Касса"},
    "POST api/v1/keys/<uuidstr:key_id>/rotate": {},
    "POST api/v1/audit/export": {},
    "PATCH api/v1/me": {"name": "Другое Имя"},
    "POST api/v1/me/consents": {"document": NEWEST.document, "version": NEWEST.version},
    "POST api/v1/webhooks": {"url": "https://example.ru/hook"},
    "PATCH api/v1/webhooks/<uuidstr:webhook_id>": {"description": "Касса"},
    "POST api/v1/webhooks/<uuidstr:webhook_id>/replay": {
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-01-02T00:00:00Z",
    },
    "POST api/v1/deals/": {"client_phone": "79031112233", **TERMS},
    "PATCH api/v1/deals/<uuidstr:deal_id>": {"price": "100"},
    "POST api/v1/deals/<uuidstr:deal_id>/stage-moves": {"to": "showing"},
    "POST api/v1/deals/<uuidstr:deal_id>/notes": {"text": "Позвонить"},
    "PATCH api/v1/deals/<uuidstr:deal_id>/notes/<uuidstr:note_id>": {"text": "Позвонить"},
    "POST api/v1/clients/": {"phones": ["79031112233"]},
    "PATCH api/v1/clients/<uuidstr:client_id>": {"name": "Другое Имя"},
    "POST api/v1/clients/<uuidstr:client_id>/reveal": {},
    "POST api/v1/deals/bulk": {"items": [{"do": "create", "client_phone": "79031112233", **TERMS}]},
    "POST api/v1/clients/bulk": {"items": [{"do": "create", "phones": ["79031112233"]}]},
    "POST login/": {"phone": "79161112233"},
    "POST profile/": {"name": "Другое Имя", "time_zone": "Europe/Moscow", "theme": "dark"},
    "POST language/": {"language": "en"},
    "POST theme/": {"theme": "dark"},
    "POST step-up/": {"send": "1"},
    "POST keys/new/": {"name": "Касса", "scopes": ["deals:read"], "lifetime": "30"},
    "POST keys/<uuid:key_id>/edit/": {"name": "Касса"},
    "POST keys/<uuid:key_id>/rotate/": {"lifetime": "30"},
    "POST webhooks/new/": {"url": "https://example.ru/hook"},
    "POST webhooks/<uuid:webhook_id>/edit/": {"url": "https://example.ru/other"},
    "POST webhooks/<uuid:webhook_id>/replay/": {"since": "2026-01-01T00:00", "until": "2026-01-02T00:00"},
    "POST deals/search/": {"q": "Арбат"},
    "POST deals/new/": {"client_phone": "79031112233", "kind": "sale", **TERMS},
    "POST deals/<uuid:deal_id>/edit/": TERMS,
    "POST deals/<uuid:deal_id>/move/": {"to": "showing"},
    "POST deals/<uuid:deal_id>/notes/": {"text": "Позвонить"},
    "POST deals/<uuid:deal_id>/notes/<uuid:note_id>/edit/": {"text": "Позвонить"},
    "POST clients/search/": {"q": "Мария"},
    "POST clients/new/": {"phone_1": "79031112233"},
    "POST clients/<uuid:client_id>/edit/": {"name": "Другое Имя", "phone_1": "79031112233"},
}


def things_about(route: Route, world: World) -> dict[str, Any]:
    """Return what stands in the holes of the pattern: things of the world by the names of the holes."""
    if route.door == "admin":
        return {"object_id": world.things.get(model_of(route), world.agency)}
    asked = f"{route.method} {route.pattern}"
    other = next((holes for word, holes in OTHERS.items() if word in asked), {})
    return {hole: world.things[name] for hole, name in (ABOUT | other).items() if f":{hole}>" in route.pattern}


def model_of(route: Route) -> str:
    return route.pattern.split("/")[2] if route.pattern.count("/") > 1 else ""


def ask(route: Route, world: World, who: str, **ids: Any) -> Any:
    """Ask as this person; `ids` stand in the holes instead of the world's own."""
    return send(world.browser(who), route, world, **ids)


def send(
    browser: Browser, route: Route, world: World, headers: dict[str, str] | None = None, method: str = "", **ids: Any
) -> Any:
    """Ask in this browser; a safe `method` asks with the form of the route's POST in the query."""
    things = things_about(route, world)
    fixed = {
        "document": NEWEST.document,
        "version": NEWEST.version,
        "app_label": "deals",
        "url": "nothing/",
        "inn": "7707083893",
        "passkey_id": "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8",
    }
    address = route.address(**fixed | {hole: thing.pk for hole, thing in things.items()} | ids)
    thing = next(reversed(things.values()), None)
    version = getattr(things.get("deal_id") or things.get("client_id") or thing, "version", None)
    body = body_of(route, world)
    if method:
        query = urlencode({"version": version or 1, **(body_of(Route("POST", route.pattern), world) or {})}, doseq=True)
        return browser.generic(method, f"{address}?{query}", headers=headers)
    if route.method == "GET":
        return browser.get(address, QUERIES.get(str(route).replace(" /", " ")), headers=headers)
    if route.door == "api":
        sent = {"If-Match": f'"{version}"'} if version else {}
        return browser.generic(route.method, address, json_of(body), "application/json", headers=sent | (headers or {}))
    form: dict[str, Any] = {"form_key": str(uuid4()), **({"version": version} if version else {}), **(body or {})}
    return browser.post(address, form, headers=headers)


def body_of(route: Route, world: World) -> dict[str, Any] | None:
    if "hand-over" in route.pattern:
        return {"agent": str(world.boris.pk)}
    return BODIES.get(f"{route.method} {route.pattern}")


def json_of(body: dict[str, Any] | None) -> bytes:

    return b"" if body is None else json.dumps(body).encode()
