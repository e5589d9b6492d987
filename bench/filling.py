"""The databases of the bench: made and filled once, and kept for the next run."""

import hashlib
import os
import sys
import time

import psycopg
from psycopg import sql

from bench import floor
from bench.environment import ANY_DATABASE, DATABASE, DEALS, URL, VAR, for_django
from lk_site.new_keys import write_new_keys

SHAPE = "2"  # of what is filled in: another one fills anew


def main() -> None:
    """Set Django up on the database of this size, and fill it if it is new."""
    os.environ |= for_django()
    VAR.mkdir(exist_ok=True)
    write_new_keys(VAR / "keys.json")
    has_data = make_database()
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    if not has_data:
        fill()


def make_database() -> bool:
    """Make the database, or keep it if it is filled already; return whether it is."""
    try:
        with psycopg.connect(ANY_DATABASE, autocommit=True, connect_timeout=5) as server:
            found = server.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if found == (filled_with(),):
                return True
            name = sql.Identifier(DATABASE)
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            server.execute(sql.SQL("CREATE DATABASE {}").format(name))
    except psycopg.OperationalError as error:
        sys.exit(f"The bench needs a PostgreSQL where it may create a database; name it in DATABASE_URL. {error}")
    return False


def filled_with() -> str:
    """Return what is noted on a database that is filled: how, and by whose keys it is sealed."""
    keys = hashlib.sha256((VAR / "keys.json").read_bytes()).hexdigest()[:8]
    return f"{DEALS} deals, shape {SHAPE}, keys {keys}"


def fill() -> None:
    """Fill the product's tables and the floor's, and note how much they hold."""
    from bench.seed import AGENTS_AT_LEAST, DEALS_OF_A_CLIENT, DEALS_OF_AN_AGENT, seed

    print(f"Filling {DATABASE} with {DEALS:,} deals …")
    began = time.monotonic()
    seed(DEALS)
    with psycopg.connect(URL, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(floor.TABLES)
        agents = max(AGENTS_AT_LEAST, DEALS // DEALS_OF_AN_AGENT)
        connection.execute(floor.FILL, {"agents": agents, "deals": DEALS, "clients": DEALS // DEALS_OF_A_CLIENT})
        name = sql.Identifier(DATABASE)
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(filled_with())))
    print(f"… in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
