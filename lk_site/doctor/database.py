"""What the database can say: its version, who owns what, how it keeps promises, and whether it is this release's."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from lk_site import environment, startup
from lk_site.doctor.findings import Level, Said

VERSION_AT_LEAST = 15
KEPT_FOR_OTHERS = 10  # connections of workers, commands, backups and the superuser
SKEW_TO_MENTION_S, SKEW_TO_MEND_S = 2.0, 30.0
OWNED = """
select count(*) from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and pg_has_role(relowner, 'member')
"""
CLOSED = """
select count(*) from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
  and not has_table_privilege(oid, 'select, insert')
"""
MAKE_ROLES = "Run deploy/postgresql/roles.sql and serve as lk_server; only migrations use lk_owner."


def asked(sql: str) -> Any:
    """Return the first column of the first row."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
        return row[0] if row else None


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def database() -> Said:
    try:
        startup.check_database()
    except startup.UnfitStart as unfit:
        yield Level.WRONG, f"{unfit}"
        return
    if not is_postgresql():
        yield Level.WARN, "SQLite: right for one agent on one machine. An agency wants PostgreSQL; set DATABASE_URL."
        return
    version = int(asked("show server_version_num")) // 10_000
    if version < VERSION_AT_LEAST:
        yield (
            Level.WRONG,
            f"PostgreSQL {version} is older than LK is tested on; upgrade it to {VERSION_AT_LEAST} or newer.",
        )
    if asked("show server_encoding") != "UTF8":
        yield Level.WRONG, f"The database stores {asked('show server_encoding')}; make it anew with ENCODING 'UTF8'."
    yield Level.OK, f"PostgreSQL {version}."


def durability() -> Said:
    """Settings under which what was acknowledged could be lost."""
    if not is_postgresql():
        return
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        if asked(f"show {setting}") == "off":
            yield (
                Level.WRONG,
                f"PostgreSQL has {setting} off: a crash loses what people were told is saved. Run: "
                f"alter system set {setting} = on; select pg_reload_conf();",
            )
    yield Level.OK, "What is acknowledged is on the disk."


def connections_enough() -> Said:
    if not is_postgresql():
        return
    most = int(asked("show max_connections"))
    kept = int(os.environ.get("LK_WORKERS", "2")) * connections_of_process()
    if 2 * kept + KEPT_FOR_OTHERS > most:  # in an upgrade the old ones are still there
        yield (
            Level.WARN,
            f"{kept} connections, twice that in an upgrade, and {KEPT_FOR_OTHERS} others may want more than the {most} "
            "connections of PostgreSQL. Raise max_connections, or let threads share: LK_DB_POOL=2.",
        )
    else:
        yield Level.OK, f"{kept} of {most} for the web server; each web machine takes as many."


def connections_of_process() -> int:
    """Return how many a process of the web server keeps: one a thread, or fewer that they share."""
    threads = int(os.environ.get("LK_THREADS", "4"))
    return min(threads, environment.number("LK_DB_POOL", 0) or threads)


def roles() -> Said:
    """The role that serves can do nothing to tables: who steals it cannot lift the triggers of evidence."""
    if not is_postgresql():
        return
    role = asked("select current_user")
    if asked("select rolsuper or rolcreaterole or rolbypassrls from pg_roles where rolname = current_user"):
        yield Level.WRONG, f"{role} may do anything in PostgreSQL. {MAKE_ROLES}"
    owned = asked(OWNED)
    if owned:
        yield Level.WRONG, f"{role} owns {owned} tables and could lift what keeps evidence as it was. {MAKE_ROLES}"
    elif asked("select has_schema_privilege(current_schema(), 'create')"):
        yield Level.WRONG, f"{role} may create tables. {MAKE_ROLES}"
    locked_out = asked(CLOSED)
    if locked_out:
        yield Level.WRONG, f"{role} may not use {locked_out} tables. {MAKE_ROLES}"
    yield Level.OK, f"LK serves as {role}."


def migrations() -> Said:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        first = missing[0][0]
        yield Level.WRONG, f"{len(missing)} migrations are not applied, {first} first. Run: systemctl start lk-migrate"
    known = set(executor.loader.disk_migrations) | set(executor.loader.replacements)
    foreign = sorted(set(MigrationRecorder(connection).applied_migrations()) - known)
    ours = [one for one in foreign if one[0] in executor.loader.migrated_apps]
    if ours:
        yield (
            Level.WARN,
            f"The database is newer than this release: {'.'.join(ours[0])}. Right in the middle of an upgrade; else "
            "bring the newer release here.",
        )
    if not missing:
        yield Level.OK, f"{len(known)} migrations are applied."


def evidence() -> Said:
    yield from as_at_start(startup.check_triggers, "Evidence can be added to and not changed.")


def keys_of_database() -> Said:
    yield from as_at_start(startup.check_keys, "The keys are the ones this database was written with.")


def as_at_start(check: Callable[[], None], all_is_well: str) -> Said:
    try:
        check()
    except startup.UnfitStart as unfit:
        yield Level.WRONG, str(unfit)
    else:
        yield Level.OK, all_is_well


def clock() -> Said:
    """This machine's clock against that of the database."""
    if not is_postgresql():
        return
    before = time.time()
    there: datetime = asked("select clock_timestamp()")
    skew = abs(there.timestamp() - (before + time.time()) / 2)
    if skew < SKEW_TO_MENTION_S:
        yield Level.OK, f"It differs from the database's by {skew * 1000:.0f} ms."
        return
    level = Level.WARN if skew < SKEW_TO_MEND_S else Level.WRONG
    yield (
        level,
        f"It differs from the database's by {skew:.0f} s: codes die early or late. Run chrony on both machines.",
    )
