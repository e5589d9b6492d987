"""Clients of the agency: the people whom its agents work for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from lk_client.calls import UNSET, Answer, Call, Listing, Unset, given, path
from lk_client.models import Client, ClientItem, Revealed
from lk_client.operations.references import AgentRef, ClientRef, id_of, version_of
from lk_client.operations.selecting import Names, Several, listing, row, selection
from lk_client.reading import one

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ClientFilter(TypedDict, total=False):
    """What a list of clients can be asked for: several values of one mean *or*, different ones mean *and*."""

    agent: AgentRef | Sequence[AgentRef] | None
    client_phone: Several
    q: str | None
    trashed: bool | None
    order: str | None
    limit: int | None


def list_clients(**filters: Unpack[ClientFilter]) -> Listing[ClientItem]:
    """List clients, those with the newest deal first, or with `order="created"` the newest of them, who never move.

    `limit` is the length of a page.
    """
    return listing(ClientItem, path("clients", ""), filters)


def list_client_rows(
    *, fields: Names = None, expand: Names = None, **filters: Unpack[ClientFilter]
) -> Listing[Mapping[str, Any]]:
    """List clients as plain dicts with only the `fields` named, and things whole that `expand` names."""
    return listing(None, path("clients", ""), {**filters, **selection(fields, expand)})


def get_client(client: ClientRef) -> Call[Client]:
    return Call("GET", path("clients", id_of(client)), one(Client))


def get_client_row(client: ClientRef, *, fields: Names = None, expand: Names = None) -> Call[Mapping[str, Any]]:
    """Get a client as a plain dict with only the `fields` named, and things whole that `expand` names."""
    return row(path("clients", id_of(client)), fields, expand)


def create_client(
    *,
    agent: AgentRef,
    phones: Sequence[str],
    name: str | None = None,
    email: str | None = None,
    notes: str | None = None,
    idempotency_key: str | None = None,
) -> Call[Client]:
    """Create a client of an agent; the first phone is the main one. Raises ClientExists."""
    body = {"agent": id_of(agent), "phones": list(phones), "name": name, "email": email, "notes": notes}
    sent = {field: value for field, value in body.items() if value is not None}
    return Call("POST", path("clients", ""), one(Client), body=sent, takes_key=True, idempotency_key=idempotency_key)


def edit_client(
    client: ClientRef,
    *,
    version: int | None = None,
    phones: Sequence[str] | Unset = UNSET,
    name: str | Unset | None = UNSET,
    email: str | Unset | None = UNSET,
    notes: str | Unset | None = UNSET,
    idempotency_key: str | None = None,
) -> Call[Client]:
    """Change the fields that are given; `None` empties one, and `phones` is the whole new list. Raises Stale."""
    whole = phones if isinstance(phones, Unset) else list(phones)
    return Call(
        "PATCH",
        path("clients", id_of(client)),
        one(Client),
        body=given(phones=whole, name=name, email=email, notes=notes),
        version=version_of(client, version),
        takes_key=True,
        idempotency_key=idempotency_key,
    )


def trash_client(client: ClientRef, *, version: int | None = None) -> Call[int | None]:
    """Move a client without deals to the trash; return his version there, which `restore_client` wants.

    That is None where the answer was lost and the repeat found him gone.
    """
    return Call("DELETE", path("clients", id_of(client)), Answer.version, version=version_of(client, version))


def restore_client(
    client: ClientRef, *, version: int | None = None, idempotency_key: str | None = None
) -> Call[Client]:
    """Bring a client back from the trash."""
    return Call(
        "POST",
        path("clients", id_of(client), "restore"),
        one(Client),
        version=version_of(client, version),
        takes_key=True,
        idempotency_key=idempotency_key,
    )


def reveal_client(client: ClientRef, *, reason: str | None = None) -> Call[tuple[str, ...]]:
    """Return the numbers of a client. It is recorded and counted, so it is never repeated by itself."""
    body = {} if reason is None else {"reason": reason}
    return Call("POST", path("clients", id_of(client), "reveal"), phones, body=body)


def phones(answer: Answer) -> tuple[str, ...]:
    return one(Revealed)(answer).phones
