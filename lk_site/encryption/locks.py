"""Uniqueness while two keys of an index are in use: a unique constraint compares what stands under one key only."""

from collections.abc import Iterable

from django.db import connection


def lock_values(indexes: Iterable[bytes], *, wait_ms: int = 0) -> None:
    """Let one transaction at a time go on with a value that has these indexes, one under each key of the ring.

    Look for the value under every key after this, and write it then. With one key in use the constraint is enough, and
    on SQLite a transaction that writes is alone: nothing is locked. Waits `wait_ms`, or as long as it takes for 0.
    """
    in_order = sorted(indexes)  # by the keys' ids, so that two who share a key meet at the lowest
    if len({index[0] for index in in_order}) < 2 or connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        if wait_ms:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_ms}ms"])
        for index in in_order:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(index[1:9], "big", signed=True)])
