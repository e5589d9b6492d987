"""Webhooks of the agency: where LK tells what happens, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from lk_client.calls import UNSET, Answer, Call, Listing, Unset, given, path, utc_text
from lk_client.models import Delivery, Replayed, Webhook, Webhooks, WebhookWithSecret, WholeDelivery
from lk_client.operations.selecting import Several, listing
from lk_client.reading import Record, nothing, one

R = TypeVar("R", bound=Record)

WebhookRef = Webhook | str
DeliveryRef = Delivery | str


def list_webhooks() -> Call[tuple[Webhook, ...]]:
    """Return the agency's webhooks, the oldest first."""
    return Call("GET", path("webhooks"), lambda answer: one(Webhooks)(answer).items)


def get_webhook(webhook: WebhookRef) -> Call[Webhook]:
    return Call("GET", address(webhook), one(Webhook))


def create_webhook(
    url: str, *, description: str = "", types: Sequence[str] = (), idempotency_key: str | None = None
) -> Call[WebhookWithSecret]:
    """Have this address told of events of these types, of all without any. The answer holds the secret, this once."""
    body = {"url": url, "description": description, "types": list(types)}
    return posting(path("webhooks"), WebhookWithSecret, body, idempotency_key)


def edit_webhook(
    webhook: WebhookRef,
    *,
    version: int | None = None,
    url: str | Unset = UNSET,
    description: str | Unset = UNSET,
    types: Sequence[str] | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Webhook]:
    """Change where and what is sent. Raises Stale for an older version."""
    whole = types if isinstance(types, Unset) else list(types)
    return Call(
        "PATCH",
        address(webhook),
        one(Webhook),
        body=given(url=url, description=description, types=whole),
        version=version_of(webhook, version),
        takes_key=True,
        idempotency_key=idempotency_key,
    )


def delete_webhook(webhook: WebhookRef, *, version: int | None = None) -> Call[None]:
    """Remove a webhook with its deliveries, for good. Raises Stale for an older version."""
    return Call("DELETE", address(webhook), nothing, version=version_of(webhook, version))


def rotate_secret(webhook: WebhookRef, *, idempotency_key: str | None = None) -> Call[WebhookWithSecret]:
    """Give a webhook a new secret, shown this once. The one before signs beside it for 24 hours."""
    return posting(address(webhook, "rotate-secret"), WebhookWithSecret, None, idempotency_key)


def switch_off(webhook: WebhookRef, *, idempotency_key: str | None = None) -> Call[Webhook]:
    """Stop sending; what happens meanwhile is sent when it is switched on again."""
    return posting(address(webhook, "switch-off"), Webhook, None, idempotency_key)


def switch_on(webhook: WebhookRef, *, idempotency_key: str | None = None) -> Call[Webhook]:
    """Send again: what waits, what failed, and what happened meanwhile."""
    return posting(address(webhook, "switch-on"), Webhook, None, idempotency_key)


def send_test(webhook: WebhookRef, *, idempotency_key: str | None = None) -> Call[Delivery]:
    """Send an event of type `webhook.test`, once."""
    return posting(address(webhook, "test"), Delivery, None, idempotency_key)


def replay(webhook: WebhookRef, *, since: datetime, until: datetime, idempotency_key: str | None = None) -> Call[int]:
    """Send everything again that happened between two times, under the same ids; return how many events."""
    body = {"since": utc_text(since), "until": utc_text(until)}
    where = address(webhook, "replay")
    return Call("POST", where, replayed, body=body, takes_key=True, idempotency_key=idempotency_key)


def replayed(answer: Answer) -> int:
    return one(Replayed)(answer).deliveries


def list_deliveries(webhook: WebhookRef, *, state: Several = None, limit: int | None = None) -> Listing[Delivery]:
    """List a webhook's deliveries of the last 30 days, the newest first."""
    return listing(Delivery, address(webhook, "deliveries"), {"state": state, "limit": limit})


def get_delivery(webhook: WebhookRef, delivery: DeliveryRef) -> Call[WholeDelivery]:
    """Return a delivery with its payload and its tries."""
    return Call("GET", address(webhook, "deliveries", name_of(delivery)), one(WholeDelivery))


def replay_delivery(
    webhook: WebhookRef, delivery: DeliveryRef, *, idempotency_key: str | None = None
) -> Call[Delivery]:
    """Send a delivery again, under the same id."""
    where = address(webhook, "deliveries", name_of(delivery), "replay")
    return posting(where, Delivery, None, idempotency_key)


def posting(where: str, kind: type[R], body: dict[str, Any] | None, key: str | None) -> Call[R]:
    return Call("POST", where, one(kind), body=body, takes_key=True, idempotency_key=key)


def address(webhook: WebhookRef, *parts: str) -> str:
    return path("webhooks", name_of(webhook), *parts)


def name_of(thing: Webhook | Delivery | str) -> str:
    return thing if isinstance(thing, str) else thing.id


def version_of(webhook: WebhookRef, version: int | None) -> int | None:
    return version if version is not None or isinstance(webhook, str) else webhook.version
