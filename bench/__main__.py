"""Measure list, detail and create of the API against the floor, both under the same server; see the README."""

import os
import sys
import time

import psycopg
from psycopg import sql

from bench import floor
from bench.environment import DATABASE, DEALS, HOST, SERVER, URL, VAR
from lk_site.new_keys import write_new_keys


def main() -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "lk_site.settings",
        "DATABASE_URL": URL,
        "LK_LOCAL": "1",
        "LK_LIMITS_SCALE": "1000000",  # the limits are counted as ever, and never reached
        "LK_VAR_DIR": str(VAR),
        "HOST": HOST,
    }
    has_data = make_database()
    write_new_keys(VAR / "keys.json")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    if not has_data:
        fill()
    compare()


def make_database() -> bool:
    """Make the database of the bench, or keep it if it holds as many deals already; return whether it does."""
    try:
        with psycopg.connect(SERVER, autocommit=True, connect_timeout=5) as server:
            found = server.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if found == (str(DEALS),) and (VAR / "keys.json").exists():
                return True
            name = sql.Identifier(DATABASE)
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            server.execute(sql.SQL("CREATE DATABASE {}").format(name))
    except psycopg.OperationalError as error:
        sys.exit(f"The bench needs a PostgreSQL where it may create a database; name it in DATABASE_URL. {error}")
    return False


def fill() -> None:
    """Fill the product's tables and the floor's, and note how much they hold."""
    from bench.seed import AGENTS_AT_LEAST, DEALS_OF_AN_AGENT, seed

    print(f"Filling {DATABASE} with {DEALS} deals …")
    began = time.monotonic()
    seed(DEALS)
    with psycopg.connect(URL, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(floor.TABLES)
        agents = max(AGENTS_AT_LEAST, DEALS // DEALS_OF_AN_AGENT)
        connection.execute(floor.FILL, {"agents": agents, "deals": DEALS})
        connection.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(DATABASE), sql.Literal(str(DEALS)))
        )
    print(f"… in {time.monotonic() - began:.0f} s")


def compare() -> None:
    """Measure the floor and LK, one after the other, and report."""
    from bench.calls import floor_calls, product_calls
    from bench.measure import measure
    from bench.report import report
    from lk_site.startup import leave_database

    bare, ours = floor_calls(), product_calls()
    leave_database()
    report(measure("bench.floor:application", bare), measure("lk_site.wsgi:application", ours))


if __name__ == "__main__":
    main()
