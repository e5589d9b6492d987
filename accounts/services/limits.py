"""Exact limits: counters in the database, each taken by one conditional statement.

Of 200 concurrent callers exactly as many pass as the limit says, on both databases, whatever restarts or is flushed.
Counting is part of the caller's transaction: a caller that raises inside of it also undoes the count. So a refused try
returns from the transaction first, and the exception comes after the commit.

Windows are fixed: across their edge up to twice the limit may pass. Keys are keyed digests; the table knows no phone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Counter
from lk_site import metrics
from lk_site.encryption import blind_indexes
from lk_site.encryption.locks import lock_values
from lk_site.errors import LimitReached

Part = str | bytes | UUID

# The statements are made of the name of our own table and of placeholders; every value is a parameter.
TABLE = Counter._meta.db_table
IS_OVER = f"{TABLE}.window_ends_at <= %(now)s"
IS_FREE = f"({TABLE}.blocked_until IS NULL OR {TABLE}.blocked_until <= %(now)s)"

TAKE = f"""
INSERT INTO {TABLE} (key, name, count, window_ends_at, level) VALUES {{rows}}
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN {IS_OVER} THEN 1 ELSE {TABLE}.count + 1 END,
  window_ends_at = CASE WHEN {IS_OVER} THEN excluded.window_ends_at ELSE {TABLE}.window_ends_at END
WHERE {IS_FREE} AND ({IS_OVER} OR {TABLE}.count < CASE excluded.key {{limits}} END)
RETURNING key, count
"""  # nosec B608

TRY = f"""
INSERT INTO {TABLE} (key, name, count, window_ends_at, level) VALUES (%(key)s, %(name)s, 1, %(end)s, 0)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN {{is_last}} THEN 0 WHEN {IS_OVER} THEN 1 ELSE {TABLE}.count + 1 END,
  window_ends_at = CASE WHEN {IS_OVER} THEN excluded.window_ends_at ELSE {TABLE}.window_ends_at END,
  blocked_until = CASE WHEN NOT ({{is_last}}) THEN {TABLE}.blocked_until {{blocks}} END,
  level = {{level}} + CASE WHEN {{is_last}} THEN 1 ELSE 0 END
WHERE {IS_FREE}
RETURNING count, blocked_until
"""  # nosec B608
IS_LAST_TRY = f"%(limit)s <= CASE WHEN {IS_OVER} THEN 1 ELSE {TABLE}.count + 1 END"
LEVEL = f"CASE WHEN {TABLE}.blocked_until <= %(calm_since)s THEN 0 ELSE {TABLE}.level END"

SPACE = f"""
INSERT INTO {TABLE} (key, name, count, window_ends_at, level, blocked_until)
VALUES (%(key)s, %(name)s, 1, %(end)s, 1, %(next_0)s)
ON CONFLICT (key) DO UPDATE SET
  count = {TABLE}.count + 1,
  window_ends_at = excluded.window_ends_at,
  blocked_until = CASE {{steps}} END,
  level = {{level}} + 1
WHERE {IS_FREE}
RETURNING blocked_until
"""  # nosec B608


@dataclass(frozen=True, slots=True)
class Taken:
    """It was within the limit, and is counted. `left` more may follow, the next one from `next_at` on."""

    left: int
    next_at: datetime | None = None

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Refused:
    """A limit is used up, and nothing was counted; try again in `retry_after` seconds. Falsy."""

    name: str
    retry_after: int

    def __bool__(self) -> Literal[False]:
        return False

    def error(self) -> LimitReached:
        """Return the refusal to raise once the transaction has committed."""
        return LimitReached(self.retry_after)


class Use(NamedTuple):
    """One use of a named limit by whatever the key says; `factor` multiplies the limit."""

    name: str
    key_parts: tuple[Part, ...]
    factor: int = 1

    @property
    def keys(self) -> list[bytes]:
        """Its keys under every digest key in use, the one that is written first."""
        return blind_indexes("digests", "limit", self.name, *self.key_parts)

    @property
    def limit(self) -> int:
        count, _ = settings.LIMITS[self.name]
        return int(count) * self.factor * int(settings.LIMITS_SCALE)

    def ends_at(self, now: datetime) -> datetime:
        _, seconds = settings.LIMITS[self.name]
        return now + timedelta(seconds=seconds)

    def refused(self, now: datetime) -> Refused:
        """Return the refusal of a limit that lets nobody through: the statement would count a first one."""
        metrics.LIMITS_HIT.add(self.name)
        return Refused(self.name, int((self.ends_at(now) - now).total_seconds()))


def take(name: str, *key_parts: Part, factor: int = 1, now: datetime | None = None) -> Taken | Refused:
    """Count one use of a limit, unless it is used up or blocked."""
    return take_all([Use(name, key_parts, factor)], now=now)


def take_all(uses: Iterable[Use], *, now: datetime | None = None) -> Taken | Refused:
    """Count one use of each limit or, if any of them is used up or blocked, of none. One statement, locks in order.

    The refusal names the limit that makes its caller wait longest.
    """
    now = now or timezone.now()
    keys = [(use, use.keys) for use in uses]
    if not keys:
        raise ValueError("no limit to take")
    if shut := next((use for use, _ in keys if use.limit < 1), None):
        return shut.refused(now)
    in_order = sorted(((use, mine[0]) for use, mine in keys), key=lambda pair: (pair[0].name, pair[1]))
    with transaction.atomic(savepoint=False):
        carry_over([mine for _, mine in keys])
        counts = run_take(in_order, now)
        if len(counts) == len(in_order):
            return Taken(left=min(use.limit - counts[key] for use, key in in_order))
        Counter.objects.filter(key__in=counts).update(count=F("count") - 1)
    refused = [(use, key) for use, key in in_order if key not in counts]
    return max((refusal(use.name, key, now) for use, key in refused), key=lambda refused: refused.retry_after)


def run_take(uses: Sequence[tuple[Use, bytes]], now: datetime) -> dict[bytes, int]:
    """Run the statement and return the counts of those that were within their limits."""
    params: dict[str, Any] = {"now": as_param(now)}
    rows, limits = [], []
    for i, (use, key) in enumerate(uses):
        end = as_param(use.ends_at(now))
        params |= {f"key_{i}": key, f"name_{i}": use.name, f"end_{i}": end, f"limit_{i}": use.limit}
        rows.append(f"(%(key_{i})s, %(name_{i})s, 1, %(end_{i})s, 0)")
        limits.append(f"WHEN %(key_{i})s THEN %(limit_{i})s")
    sql = TAKE.format(rows=", ".join(rows), limits=" ".join(limits))
    return {bytes(key): count for key, count in execute(sql, params)}


@transaction.atomic(savepoint=False)
def take_try(name: str, *key_parts: Part, now: datetime | None = None) -> Taken | Refused:
    """Count one try before it is looked at; the last one within the limit blocks the key, each time twice as long.

    Call `clear` when the try succeeds. A key that stayed free as long as the longest block starts again with the
    shortest: whoever waits for that is already as slow as the longest block makes him.
    """
    now, use, key = now or timezone.now(), Use(name, key_parts), digest(name, *key_parts)
    lengths = block_lengths()
    sql = TRY.format(is_last=IS_LAST_TRY, level=LEVEL, blocks=by_level(LEVEL, "block", len(lengths)))
    params = {
        "key": key,
        "name": name,
        "limit": use.limit,
        "now": as_param(now),
        "end": as_param(use.ends_at(now)),
        **{f"block_{i}": as_param(now + length) for i, length in enumerate(lengths)},
        "calm_since": as_param(now - lengths[-1]),
    }
    rows = execute(sql, params)
    if not rows:
        return refusal(name, key, now)
    count, blocked_until = rows[0]
    return Taken(left=use.limit - count if count else 0, next_at=as_time(blocked_until) if not count else None)


def block_lengths() -> list[timedelta]:
    """Return how long the first, second, … block lasts: doubling up to the longest."""
    lengths = [settings.FAILURE_LOCK]
    while lengths[-1] < settings.FAILURE_LOCK_AT_MOST:
        lengths.append(min(lengths[-1] * 2, settings.FAILURE_LOCK_AT_MOST))
    return lengths


@transaction.atomic(savepoint=False)
def space(
    name: str, *key_parts: Part, steps: Sequence[int], forget_after: int, now: datetime | None = None
) -> Taken | Refused:
    """Count one use, after which the key waits: `steps[0]` seconds after the first, `steps[1]` after the second, …

    The last step goes on. A key unused for `forget_after` seconds starts again with the first. `Taken.next_at` tells
    when the next one is due. The name needs no entry in LIMITS.
    """
    now, key = now or timezone.now(), digest(name, *key_parts)
    level = f"CASE WHEN {IS_OVER} THEN 0 ELSE {TABLE}.level END"
    waits = {f"next_{i}": as_param(now + timedelta(seconds=step)) for i, step in enumerate(steps)}
    end = as_param(now + timedelta(seconds=forget_after))
    params = {"key": key, "name": name, "now": as_param(now), "end": end, **waits}
    rows = execute(SPACE.format(level=level, steps=by_level(level, "next", len(steps))), params)
    if not rows:
        return refusal(name, key, now)
    return Taken(left=0, next_at=as_time(rows[0][0]))


def blocked(name: str, *key_parts: Part, now: datetime | None = None) -> Refused | None:
    """Return the refusal of a key that a block, a lock or a spacing holds now; the name needs no entry in LIMITS."""
    now, key = now or timezone.now(), digest(name, *key_parts)
    counter = Counter.objects.filter(pk=key).first()
    return refusal(name, key, now) if counter and blocks(counter, now) else None


def block(name: str, *key_parts: Part, until: datetime) -> None:
    """Refuse every use of a key until then, whatever its count."""
    Counter.objects.bulk_create(
        [Counter(key=digest(name, *key_parts), name=name, window_ends_at=until, blocked_until=until)],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["blocked_until"],
    )


def give_back(name: str, *key_parts: Part) -> None:
    """Take one use off the count again: what it was counted for did not happen, or was no failure."""
    Counter.objects.filter(pk=digest(name, *key_parts), count__gt=0).update(count=F("count") - 1)


def clear(names: Iterable[str], *key_parts: Part) -> int:
    """Forget the counts and blocks of a key under these names, and return how many counters there were."""
    cleared, _ = Counter.objects.filter(pk__in=[digest(name, *key_parts) for name in names]).delete()
    return cleared


def clear_all() -> int:
    """Forget all counts and blocks, and return how many counters there were. For local mode."""
    cleared, _ = Counter.objects.all().delete()
    return cleared


def digest(name: str, *key_parts: Part) -> bytes:
    """Return the key of a counter, once a counter under another digest key has been carried over to it."""
    keys = Use(name, key_parts).keys
    carry_over([keys])
    return keys[0]


def carry_over(counters: Iterable[list[bytes]]) -> None:
    """Let each counter stand under the first of its keys, under whichever it was counted.

    With two digest keys in use, no process may begin anew what another one has counted under the other key.
    """
    first_of = {other: keys[0] for keys in counters for other in keys[1:]}
    if not first_of:
        return
    lock_values({*first_of, *first_of.values()})
    for counter in Counter.objects.filter(pk__in=first_of):
        moved = Counter.objects.filter(pk=counter.pk)
        key = first_of[bytes(counter.pk)]
        if Counter.objects.filter(pk=key).exists():
            moved.delete()
        else:
            moved.update(key=key)


def blocks(counter: Counter, now: datetime) -> bool:
    return counter.blocked_until is not None and counter.blocked_until > now


def refusal(name: str, key: bytes, now: datetime) -> Refused:
    """Return how long a refused key waits: for its block, or else for the end of its window."""
    metrics.LIMITS_HIT.add(name)
    counter = Counter.objects.filter(pk=key).first()
    if counter is None:  # cleared since
        return Refused(name, 1)
    free_at = counter.blocked_until if counter.blocked_until and blocks(counter, now) else counter.window_ends_at
    return Refused(name, max(1, -((now - free_at) // timedelta(seconds=1))))


def execute(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def by_level(level: str, prefix: str, count: int) -> str:
    """Return the branches of a CASE that chooses the parameter of a level; levels past the last one have the last."""
    branches = [f"WHEN {level} <= {i} THEN %({prefix}_{i})s" for i in range(count)]
    return " ".join([*branches, f"ELSE %({prefix}_{count - 1})s"])


def as_param(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def as_time(value: datetime | str) -> datetime:
    """Return a moment as it came out of a statement of ours: SQLite answers in UTC and does not say so."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
