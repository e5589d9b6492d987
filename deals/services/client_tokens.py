"""Tokens of clients while their key is rotated: those of a client are all under one key, and change together."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import BigIntegerField, Count, F, Func

from accounts.services.key_holders import Batch
from deals.models import Client, ClientToken
from deals.services.clients import tokens_of
from lk_site import hot_writes
from lk_site.encryption import Unreadable
from lk_site.encryption.keys import ring
from lk_site.encryption.tokens import BITS

CLIENTS_AT_ONCE = 200  # about two thousand tokens


class ClientTokens:
    """Holds the tokens that find clients by their names and numbers."""

    name, purpose, stays = "deals.ClientToken token", "client_index", ""

    def counts(self) -> dict[int, int]:
        key_id = Func(F("token"), template=f"(%(expressions)s >> {BITS})", output_field=BigIntegerField())
        return dict(ClientToken.objects.order_by().annotate(key_id=key_id).values_list("key_id").annotate(Count("pk")))

    def renew(self, key_id: int, after: UUID | None) -> Batch:
        """Make the tokens of the next clients anew; each client is locked meanwhile, as whoever changes him does."""
        ids = list(self.clients_with_others(key_id, after)[:CLIENTS_AT_ONCE])
        batch = Batch(last=ids[-1] if ids else None)
        with transaction.atomic():
            free = Client.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True, skip_locked=True)
            locked = list(free.values_list("pk", flat=True))
            clients = [client for client in Client.objects.whole().filter(pk__in=locked) if is_readable(client, batch)]
            ClientToken.objects.filter(client__in=clients).delete()
            hot_writes.insert_all([token for client in clients for token in tokens_of(client, key_id=key_id)])
        batch.renewed, batch.busy = len(clients), len(ids) - len(locked)
        return batch

    def clients_with_others(self, key_id: int, after: UUID | None) -> "models.QuerySet[Any, UUID]":
        """Return the clients with a token under any other key, in their order."""
        under_it = models.Q(token__gte=key_id << BITS, token__lt=(key_id + 1) << BITS)
        others = ClientToken.objects.exclude(under_it)
        if after is not None:
            others = others.filter(client__gt=after)
        return others.order_by("client").values_list("client_id", flat=True).distinct()

    def check(self) -> Iterator[tuple[int, list[str]]]:
        """Look whether the keys are there: a token tells nothing more."""
        for key_id, count in self.counts().items():
            known = key_id in ring(self.purpose).keys
            yield count, [] if known else [f"{self.name}: {count} values under key {key_id}, which is not loaded"]


def is_readable(client: Client, batch: Batch) -> bool:
    """Tell whether all that finds the client can be read; else his tokens stay, and the batch says so."""
    unreadable = any(isinstance(text, Unreadable) for text in (client.name, *client.numbers))
    if unreadable:
        batch.flaws.append(f"{ClientTokens.name} of client {client.pk}: his name or number cannot be read")
    return not unreadable
