"""`manage.py migrate` beside people who work: it never keeps them waiting long for a table, and tries again instead.

A change of a table waits for every transaction that reads it, and all who come later wait behind the change. So it
gives up after `lock_timeout`, lets them pass and tries again; migrations that are done stay done. On PostgreSQL two of
these never run side by side. SQLite needs none of it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_TIMEOUT_MS = 2000  # no request waits longer behind a migration
TRIES = 30
PAUSE_S = 3.0
ONE_AT_A_TIME = 0x4C4B  # the advisory lock of migrations: LK
IN_USE = frozenset({"55P03", "40P01"})  # PostgreSQL's sqlstates: a lock not had in time, a deadlock


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--lock-timeout", type=int, default=LOCK_TIMEOUT_MS, metavar="MS", help="how long to wait for a table"
        )
        parser.add_argument("--tries", type=int, default=TRIES, help="how often to try where a table is in use")

    def handle(self, *args: Any, lock_timeout: int, tries: int, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        for left in reversed(range(tries)):
            try:
                with waiting_at_most(lock_timeout, connection), alone(connection):
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                if not is_in_use(error):
                    raise
                self.give_way(left)

    def give_way(self, left: int) -> None:
        """Let others have the table for a while. Raises CommandError after the last try."""
        if not left:
            raise CommandError(
                "A table stays in use, or another migration runs. What was done is kept; nothing was left half done. "
                "Run this again at a quieter hour, or see who holds it: select pid, xact_start, query from "
                "pg_stat_activity where xact_start < now() - interval '5 seconds';"
            )
        self.stdout.write(f"A table is in use; trying again in {PAUSE_S:g} s ({left} times more)")
        self.stdout.flush()
        time.sleep(PAUSE_S)


@contextmanager
def waiting_at_most(ms: int, connection: BaseDatabaseWrapper) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, false)", [f"{ms}ms"])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("reset lock_timeout")


@contextmanager
def alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait until no other migration runs, as long as for any lock."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", [ONE_AT_A_TIME])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", [ONE_AT_A_TIME])


def is_in_use(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) in IN_USE
