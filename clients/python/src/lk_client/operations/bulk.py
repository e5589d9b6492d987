"""Many changes in one request, now or later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lk_client.calls import Call, path
from lk_client.errors import NotDone
from lk_client.exchange import STANDARD, Pause, Steps, exchange
from lk_client.models import BulkResult, Operation
from lk_client.reading import one

Items = Sequence[Mapping[str, Any]]
LATER = {"Prefer": "respond-async"}


def change_deals(
    items: Items, *, atomic: bool = False, dry_run: bool = False, idempotency_key: str | None = None
) -> Call[BulkResult]:
    """Change up to 100 deals. Each item names what to `do` (create, edit, move, trash, restore, hand_over, add_note),
    the `id` and `version` of what is there, and the fields of that operation.

    With `atomic` one refusal undoes all; a `dry_run` is carried out and undone.
    """
    return bulk("deals", items, atomic, dry_run, idempotency_key)


def change_clients(
    items: Items, *, atomic: bool = False, dry_run: bool = False, idempotency_key: str | None = None
) -> Call[BulkResult]:
    """Change up to 100 clients: create, edit, trash, restore. See `change_deals`."""
    return bulk("clients", items, atomic, dry_run, idempotency_key)


def change_deals_later(
    items: Items, *, atomic: bool = False, dry_run: bool = False, idempotency_key: str | None = None
) -> Call[Operation]:
    """Have deals changed in the background; wait for the operation that is returned."""
    return later("deals", items, atomic, dry_run, idempotency_key)


def change_clients_later(
    items: Items, *, atomic: bool = False, dry_run: bool = False, idempotency_key: str | None = None
) -> Call[Operation]:
    """Have clients changed in the background; wait for the operation that is returned."""
    return later("clients", items, atomic, dry_run, idempotency_key)


def bulk(what: str, items: Items, atomic: bool, dry_run: bool, key: str | None) -> Call[BulkResult]:
    body = asked(items, atomic, dry_run)
    return Call("POST", path(what, "bulk"), one(BulkResult), body=body, takes_key=True, idempotency_key=key)


def later(what: str, items: Items, atomic: bool, dry_run: bool, key: str | None) -> Call[Operation]:
    body, address = asked(items, atomic, dry_run), path(what, "bulk")
    return Call("POST", address, one(Operation), body=body, takes_key=True, idempotency_key=key, headers=LATER)


def asked(items: Items, atomic: bool, dry_run: bool) -> dict[str, Any]:
    return {"items": [dict(item) for item in items], "atomic": atomic, "dry_run": dry_run}


def get_operation(operation: Operation | str) -> Call[Operation]:
    """Return how long work stands."""
    name = operation if isinstance(operation, str) else operation.id
    return Call("GET", path("operations", name), one(Operation))


def until_over(operation: Operation | str, at_most_s: float, every_s: float) -> Steps[Operation]:
    """Ask how an operation stands until it is over; return it then. Raises NotDone.

    The seconds count pauses alone: answers take a little more.
    """
    waited = 0.0
    while True:
        found = yield from exchange(get_operation(operation), STANDARD)
        if found.state == "done":
            return found
        if found.is_over or waited >= at_most_s:
            why = f": {found.problem.get('detail')}" if found.problem else ""
            raise NotDone(f"Operation {found.id} is {found.state} after {waited:.0f} s{why}")
        yield Pause(every_s)
        waited += every_s
