"""What was sent once happens once: the answer of a key is written in the transaction of its effect.

The key's row is inserted first, so a second request with the key waits for the first one's commit at the unique index
(PostgreSQL) or for its write lock (SQLite), and then finds the answer; after a roll-back it takes over. Twenty
processes with one key: one effect, on both databases.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import IdempotencyKey
from accounts.models.base import new_id
from accounts.services.unit_of_work import unit_of_work
from lk_site import hot_writes
from lk_site.encryption import blind_index, blind_indexes
from lk_site.encryption.locks import lock_values
from lk_site.errors import Clash, DomainError, NotAllowed

KEY, REQUEST = "idempotency.key", "idempotency.request"
RETRY_AFTER_S = 1
INSERTED = ("id", "actor_id", "scope", "key_digest", "request_digest", "created_at")  # in the order of the model

# PostgreSQL: wait for the first one no longer than we may, and take the patience back once the key is ours.
INSERT_POSTGRESQL = """
WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', %s, true))
INSERT INTO {table} (id, user_id, scope, key_digest, request_digest, headers, object_type, created_at)
SELECT %s, %s, %s, %s, %s, '{{}}'::jsonb, '', %s FROM patience
ON CONFLICT (user_id, scope, key_digest) DO NOTHING
RETURNING set_config('lock_timeout', '0', true)
"""
INSERT_SQLITE = """
INSERT INTO {table} (id, user_id, scope, key_digest, request_digest, headers, object_type, created_at)
VALUES (%s, %s, %s, %s, %s, '{{}}', '', %s)
ON CONFLICT (user_id, scope, key_digest) DO NOTHING
RETURNING 1
"""


class KeyInProgress(Clash):
    """The first request with this key is still running."""

    code = "idempotency_key_in_progress"
    sentence = _("The first request with this key is still running. Ask again in a moment.")
    retry_after = RETRY_AFTER_S


class KeyReused(DomainError):
    """The key came with another request before."""

    code = "idempotency_key_reused"
    sentence = _("This Idempotency-Key came with another request before. Take a new one.")

    def __init__(self, answer: "Answer") -> None:
        super().__init__()
        self.answer = answer


class FormAlreadyUsed(Exception):
    """A page's form was sent before with other text: `target` is where that led, `object_id` what it made."""

    def __init__(self, target: str, object_id: UUID | None) -> None:
        super().__init__(target)
        self.target = target
        self.object_id = object_id


@dataclass(frozen=True)
class Answer:
    """What a request was answered, and about which object."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    object_type: str = ""
    object_id: UUID | None = None
    is_replay: bool = False


def answer_once(scope: str, key: str, request: bytes, *, actor: Actor, effect: Callable[[], Answer]) -> Answer:
    """Run `effect` in a unit of work unless this actor's key had its answer already; return the answer either way.

    `scope` is method and route, `request` what must be the same again. What `effect` raises undoes the key too. Raises
    KeyReused for another request, KeyInProgress if the first one runs longer than we wait, NotAllowed for nobody.
    """
    if actor.id is None:
        raise NotAllowed
    row = IdempotencyKey(
        id=new_id(),
        actor_id=actor.id,
        scope=scope,
        key_digest=blind_index("digests", KEY, key),
        request_digest=blind_index("digests", REQUEST, request),
    )
    with patience(), unit_of_work():
        first = under_older_digest(row, key) or insert_or_find(row)
        if first is None:
            return keep(row, effect())
    return replay(first, request)


def once(scope: str, form_key: str, text: bytes, *, actor: Actor, effect: Callable[[], tuple[str, UUID | None]]) -> str:
    """Run what a page's form does once for its one-time key; return the address to show then, the same for a repeat.

    `text` is what the form said, without its tokens; `effect` returns the address and the id of what was made. Raises
    FormAlreadyUsed if the key came with other text: back button, edited.
    """

    def answered() -> Answer:
        target, object_id = effect()
        return Answer(303, target, object_id=object_id)

    try:
        return answer_once(scope, form_key, text, actor=actor, effect=answered).body
    except KeyReused as reused:
        raise FormAlreadyUsed(reused.answer.body, reused.answer.object_id) from reused


def under_older_digest(row: IdempotencyKey, key: str) -> IdempotencyKey | None:
    """Return the row of a key that was written under any of several digest keys, which other processes may write with.

    Who asks with the same key meanwhile waits, as he waits at the unique index where there is one digest key.
    """
    digests = blind_indexes("digests", KEY, key)
    if len(digests) == 1:
        return None
    lock_values(digests, wait_ms=wait_ms())
    rows = IdempotencyKey.objects.filter(actor_id=row.actor_id, scope=row.scope, key_digest__in=digests)
    return rows.filter(created_at__gte=kept_since()).first()


def insert_or_find(row: IdempotencyKey) -> IdempotencyKey | None:
    """Insert the row of a key and return None, or return the one that was first; one kept long enough makes way."""
    while not insert(row):
        same = IdempotencyKey.objects.filter(actor_id=row.actor_id, scope=row.scope, key_digest=row.key_digest)
        first = same.first()
        if first and first.created_at >= kept_since():
            return first
        same.filter(created_at__lt=kept_since()).delete()
    return None


def insert(row: IdempotencyKey) -> bool:
    """Insert the row of a key unless it is there; wait for a transaction that is about to decide it."""
    table = IdempotencyKey._meta
    fields = [field for field in table.concrete_fields if field.name in INSERTED]
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    sql = INSERT_SQLITE
    if connection.vendor == "postgresql":
        sql = INSERT_POSTGRESQL
        values.insert(0, f"{wait_ms()}ms")
    return bool(hot_writes.run(sql.format(table=connection.ops.quote_name(table.db_table)), values))


def keep(row: IdempotencyKey, answer: Answer) -> Answer:
    """Write the answer beside its key."""
    row.status, row.body, row.headers = answer.status, answer.body, answer.headers
    row.object_type, row.object_id = answer.object_type, answer.object_id
    hot_writes.update(row, "status", "body", "headers", "object_type", "object_id")
    return answer


def replay(row: IdempotencyKey, request: bytes) -> Answer:
    """Return the answer that a key got before. Raises KeyReused."""
    answer = Answer(row.status or 0, row.body or "", row.headers, row.object_type, row.object_id, is_replay=True)
    if bytes(row.request_digest) not in blind_indexes("digests", REQUEST, request):
        raise KeyReused(answer)
    return answer


def sweep(now: datetime) -> None:
    """Delete the keys that are kept no longer."""
    IdempotencyKey.objects.filter(created_at__lt=now - settings.IDEMPOTENCY_LIFE).delete()


def kept_since() -> datetime:
    return timezone.now() - settings.IDEMPOTENCY_LIFE


@contextmanager
def patience() -> Iterator[None]:
    """Wait for another request's lock as long as `IDEMPOTENCY_WAIT` says; raise KeyInProgress after that."""
    try:
        with busy_timeout(wait_ms()):
            yield
    except OperationalError as error:
        if is_timeout(error):
            raise KeyInProgress from error
        raise


@contextmanager
def busy_timeout(milliseconds: int) -> Iterator[None]:
    """Make SQLite wait that long for its write lock; PostgreSQL is told in the statement itself."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    usual = connection.connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        if connection.connection is not None:
            connection.connection.execute(f"PRAGMA busy_timeout = {usual}")


def is_timeout(error: OperationalError) -> bool:
    """Return whether a lock was waited for in vain."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate == "55P03" or getattr(error.__cause__, "sqlite_errorname", "") in ("SQLITE_BUSY", "SQLITE_LOCKED")


def wait_ms() -> int:
    return int(settings.IDEMPOTENCY_WAIT.total_seconds() * 1000)


def text_of_form(fields: dict[str, list[str]], without: tuple[str, ...]) -> bytes:
    """Return what a form said, in one spelling, without its tokens: the `text` of `once`."""
    said = sorted((name, values) for name, values in fields.items() if name not in without)
    return json.dumps(said, ensure_ascii=False).encode()
