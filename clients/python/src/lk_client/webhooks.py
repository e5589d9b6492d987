"""Webhooks that LK sends: check that one comes from LK (Standard Webhooks 1.0), and read what it says.

    event = webhooks.verify(SECRET, request.headers, request.body)

The body says which object changed and never whom it is about: fetch the object with a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from lk_client.errors import LkError
from lk_client.reading import Record, record

TOLERANCE_S = 300  # Standard Webhooks: a message may be five minutes old, or a clock five minutes wrong
PREFIX = "whsec_"
SIGNED = "v1,"
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class WebhookRefused(LkError):
    """The request does not come from LK, is too old, or cannot be read. Answer it with 400."""


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """One event. `id` is the same in every repeat of it, and in the feed: do nothing for an id that you know.

    `message_id` is the id as the header has it. `object_type` and `object_id` say what changed, `version` which version
    the change made, `fields` the names of what changed.
    """

    message_id: str
    id: str
    type: str
    at: datetime
    object_type: str
    object_id: str
    version: int | None
    fields: tuple[str, ...]


@runtime_checkable
class HasItems(Protocol):
    """Headers as most frameworks have them: a mapping, or like `http.server`'s a message that is none."""

    def items(self) -> Iterable[tuple[str, Any]]: ...


def verify(
    secret: str | Iterable[str],
    headers: HasItems | Iterable[tuple[str, Any]],
    body: bytes | str,
    *,
    tolerance_s: int = TOLERANCE_S,
    now: Callable[[], float] = time.time,
) -> Event:
    """Return the event of a request that LK sent. Raises WebhookRefused for any other.

    Give several secrets while one replaces another. `headers` in whatever case, `body` exactly as it came.
    """
    told = told_headers(headers)
    content = body.encode() if isinstance(body, str) else bytes(body)
    require_recent(told["webhook-timestamp"], tolerance_s, now())
    signed = b".".join([told["webhook-id"].encode(), told["webhook-timestamp"].encode(), content])
    if not is_signed(signed, told["webhook-signature"], keys_of(secret)):
        raise WebhookRefused("No signature fits.")
    return event_of(told["webhook-id"], content)


def told_headers(headers: HasItems | Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return the three headers by their names in lower case, as text; frameworks hand out bytes too."""
    pairs = headers.items() if isinstance(headers, HasItems) else headers
    told = {as_text(name).lower(): as_text(value) for name, value in pairs}
    missing = [name for name in HEADERS if not told.get(name)]
    if missing:
        raise WebhookRefused(f"Without {', '.join(missing)}.")
    return {name: told[name] for name in HEADERS}


def as_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def require_recent(said: str, tolerance_s: int, now: float) -> None:
    if not (said.isascii() and said.isdecimal() and len(said) < 20):
        raise WebhookRefused("The timestamp is no number.")
    if abs(now - int(said)) > tolerance_s:
        raise WebhookRefused("The timestamp is too far from now.")


def keys_of(secret: str | Iterable[str]) -> list[bytes]:
    """Return the bytes of secrets. Raises ValueError for what is none: that is a mistake of yours, not of LK."""
    secrets: Sequence[str] = [secret] if isinstance(secret, str) else list(secret)
    try:
        keys = [base64.b64decode(each.strip().removeprefix(PREFIX), validate=True) for each in secrets]
    except binascii.Error:
        raise ValueError("A secret of a webhook is whsec_ and base64.") from None
    if not keys or not all(keys):
        raise ValueError("Verifying needs a secret.")
    return keys


def is_signed(content: bytes, said: str, keys: Iterable[bytes]) -> bool:
    """Return whether any signature is that of any key. Each pair is compared, in constant time."""
    right = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)) for key in keys]
    offered = [each.removeprefix(SIGNED).encode() for each in said.split(" ") if each.startswith(SIGNED)]
    fits = [hmac.compare_digest(ours, theirs) for ours in right for theirs in offered]
    return any(fits)


def event_of(message_id: str, content: bytes) -> Event:
    try:
        document = json.loads(content)
        data = document["data"]
        flat = {**data, "message_id": message_id, "type": document["type"], "at": document["timestamp"]}
        flat |= {"id": data["event"], "object_type": data["object"]["type"], "object_id": data["object"]["id"]}
        return record(Event, flat)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WebhookRefused(f"The body is not an event: {error}") from error
