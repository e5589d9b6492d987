"""PostgreSQL: pg_dump of an exported snapshot through a pipe, and one transaction of psql that fills a database."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryFile
from typing import IO, Any

import psycopg
from django.db.backends.postgresql.client import DatabaseClient
from psycopg import errors, sql

from lk_site.backup import BackupRefused
from lk_site.backup.sealing import Sink, Source

# Extensions and what is theirs stay: they are the operator's. psql commits only what ends with COMMIT.
# The lock timeout is for tables that somebody reads or writes: LK has not been stopped.
EMPTY = """
BEGIN;
SET LOCAL lock_timeout = '10s';
DO $$ DECLARE found text; BEGIN
    FOR found IN SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'public'::regnamespace
        AND relkind IN ('r', 'p', 'v', 'm') AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
    LOOP EXECUTE format('DROP %s IF EXISTS %s CASCADE', CASE (SELECT relkind FROM pg_class WHERE oid = found::regclass)
        WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, found); END LOOP;
    FOR found IN SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    LOOP EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', found); END LOOP;
END $$;
"""
SCRATCH = "backup_check"


class ProgramFailed(BackupRefused):
    """pg_dump, pg_restore or psql ended with an error; the sentence is its first complaint."""


@dataclass
class Snapshot:
    """What a transaction sees that has exported its snapshot to pg_dump."""

    settings: dict[str, Any]
    connection: Any
    name: str

    @property
    def server(self) -> str:
        return str(self.connection.info.parameter_status("server_version"))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return list(self.connection.execute(query).fetchall())

    def tables(self) -> list[str]:
        return [name for (name,) in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    @contextmanager
    def source(self) -> Iterator[Source]:
        options = ("--format=custom", "--no-owner", "--no-privileges", "--schema=public", f"--snapshot={self.name}")
        with program("pg_dump", *options, of=self.settings, stdout=PIPE) as dump:
            yield piped(dump.stdout)


@contextmanager
def snapshot(connection: Any, work: Path) -> Iterator[Snapshot]:
    with connected(connection) as own:
        own.isolation_level, own.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        own.execute("SET idle_in_transaction_session_timeout = 0")  # it waits for as long as pg_dump runs
        name = own.execute("SELECT pg_export_snapshot()").fetchone()[0]
        yield Snapshot(connection.settings_dict, own, name)


def fill(settings: dict[str, Any], pour: Callable[[Sink], None], work: Path) -> None:
    one_transaction = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
    as_script = ("--no-owner", "--no-privileges", "--schema=public", "--file=-")
    with program("psql", *one_transaction, of=settings, stdin=PIPE, stdout=DEVNULL) as psql:
        commands = piped(psql.stdin)
        commands.write(EMPTY.encode())
        commands.flush()
        with program("pg_restore", *as_script, stdin=PIPE, stdout=commands) as restore:
            pour(piped(restore.stdin))
            piped(restore.stdin).close()
        commands.write(b"\nCOMMIT;\n")


@contextmanager
def scratch(connection: Any, work: Path) -> Iterator[dict[str, Any]]:
    settings = connection.settings_dict
    name = f"{settings['NAME'][: 62 - len(SCRATCH)]}_{SCRATCH}"  # a name has 63 bytes at most
    options = {key: value for key, value in settings["OPTIONS"].items() if key != "pool"}  # pools are kept by alias
    with connected(connection) as own:
        own.autocommit = True
        drop(own, name)
        own.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield {**settings, "NAME": name, "OPTIONS": options, "CONN_MAX_AGE": 0}
        finally:
            drop(own, name)


def drop(connection: Any, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


@contextmanager
def connected(connection: Any) -> Iterator[Any]:
    """Open a connection of our own to the database of Django's; raises BackupRefused with what PostgreSQL refuses."""
    try:
        with psycopg.connect(**connection.get_connection_params()) as own:
            yield own
    except errors.InsufficientPrivilege as error:
        hint = "To verify, name a role with CREATEDB in LK_BACKUP_SCRATCH_URL."
        raise BackupRefused(f"PostgreSQL refuses: {first_line(str(error))}. {hint}") from None
    except errors.ObjectInUse:
        raise BackupRefused("Another verification uses the scratch database; wait for it.") from None
    except psycopg.Error as error:
        raise BackupRefused(f"PostgreSQL refuses: {first_line(str(error))}.") from None


@contextmanager
def program(name: str, *options: str, of: dict[str, Any] | None = None, **pipes: Any) -> Iterator[Popen[bytes]]:
    """Run a program of PostgreSQL, upon the database of these settings if there are some; raises ProgramFailed.

    A program that ends early breaks a pipe; then its own complaint is the reason.
    """
    with TemporaryFile() as complaints:
        running = started(name, options, of, stderr=complaints, **pipes)
        try:
            yield running
        except (BrokenPipeError, ProgramFailed):
            finish(running)
            if running.returncode:
                raise ProgramFailed(complaint(name, complaints)) from None
            raise
        except BaseException:
            running.kill()
            raise
        finally:
            finish(running)
        if running.returncode:
            raise ProgramFailed(complaint(name, complaints))


def started(name: str, options: tuple[str, ...], of: dict[str, Any] | None, **pipes: Any) -> Popen[bytes]:
    args, secrets = DatabaseClient.settings_to_cmd_args_env(of, []) if of else ([name], None)
    try:
        return Popen([name, *options, *args[1:]], env={**os.environ, **(secrets or {})}, **pipes)
    except FileNotFoundError:
        raise BackupRefused(f"{name} is not installed; on Debian: apt-get install postgresql-client.") from None


def finish(running: Popen[bytes]) -> None:
    """Close the pipes of a program and wait for it."""
    for pipe in (running.stdin, running.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    running.wait()


def complaint(name: str, complaints: IO[bytes]) -> str:
    """Return the first error of a program without details, which may quote rows."""
    complaints.seek(0)
    lines = complaints.read(20_000).decode(errors="replace").splitlines()
    wrong = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()] or lines or ["it ended"]
    return f"{name} failed: {first_line(wrong[0]).removeprefix(f'{name}: error: ')}."


def first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0].rstrip(".")


def piped(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
