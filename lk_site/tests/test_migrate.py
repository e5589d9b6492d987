"""Migrations beside people who work, and beside the version that they work with."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models.signals import post_migrate

from lk_site.management.commands import migrate

FIRST_TO_ROLL = {"accounts": 8, "deals": 4}  # migrations before these stood in no version that could be rolled from


@pytest.fixture
def _postgresql(transactional_db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no locks of tables.")


@contextmanager
def somebody_else(statement: str) -> Iterator[None]:
    """Another session in the middle of a transaction."""
    parameters: dict[str, Any] = connection.get_connection_params()
    with psycopg.connect(**{**parameters, "cursor_factory": psycopg.Cursor}) as other:
        other.execute(statement)
        yield


def migrated(*args: str, tries: int) -> str:
    told = io.StringIO()
    call_command("migrate", *args, lock_timeout=50, tries=tries, verbosity=0, stdout=told)
    return told.getvalue()


@pytest.mark.usefixtures("_postgresql")
def test_a_migration_waits_for_another_one_and_gives_way(monkeypatch):
    monkeypatch.setattr(migrate, "PAUSE_S", 0)
    told = io.StringIO()
    holding = somebody_else(f"select pg_advisory_lock({migrate.ONE_AT_A_TIME})")
    with holding, pytest.raises(CommandError, match="stays in use"):
        call_command("migrate", lock_timeout=50, tries=3, verbosity=0, stdout=told)
    assert told.getvalue().count("trying again") == 2
    assert migrated(tries=1) == ""


@pytest.mark.usefixtures("_postgresql")
def test_a_table_that_somebody_writes_to_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(migrate, "PAUSE_S", 0)
    with connection.cursor() as cursor:
        cursor.execute("drop trigger accounts_event_no_change on accounts_event")
    writing = somebody_else("lock table accounts_event in row exclusive mode")
    with writing, pytest.raises(CommandError, match="stays in use"):  # the trigger would be made anew
        migrated(tries=2)
    assert migrated(tries=1) == ""
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_trigger where tgname = 'accounts_event_no_change'")
        assert cursor.fetchone() == (1,)


@pytest.mark.usefixtures("_postgresql")
def test_what_a_migration_waits_ends_with_it():
    seen: list[str] = []

    def look(**kwargs: Any) -> None:
        seen.append(lock_timeout())

    post_migrate.connect(look)
    try:
        migrated(tries=1)
    finally:
        post_migrate.disconnect(look)
    assert set(seen) == {"50ms"}
    assert lock_timeout() == "0"


def lock_timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("show lock_timeout")
        return str(cursor.fetchone()[0])


# --- two versions side by side


def breaks_the_version_before(operation: Operation) -> str:
    """Return why the version that still runs would fail after this operation, or nothing."""
    if isinstance(operation, operations.RemoveField | operations.DeleteModel):
        return "it still reads this"
    if isinstance(operation, operations.RenameField | operations.RenameModel | operations.AlterModelTable):
        return "it knows only the old name"
    if isinstance(operation, operations.AddField) and not can_be_left_out(operation.field):
        return "it inserts rows without this; give it null=True or db_default"
    if isinstance(operation, operations.AlterField):
        return "what it writes may not fit; a wider column is declared in CONTRACTS too"
    return ""


def can_be_left_out(field: "models.Field[Any, Any]") -> bool:
    return field.null or field.many_to_many or field.db_default is not models.NOT_PROVIDED


def test_every_migration_leaves_the_version_before_it_working():
    """Expand first; contract a version later, and say so: `contract = "why nobody needs it"` in the migration."""
    loader = MigrationLoader(None)
    for (app, name), migration in loader.disk_migrations.items():
        if app not in FIRST_TO_ROLL or int(name[:4]) < FIRST_TO_ROLL[app] or hasattr(migration, "contract"):
            continue
        found = [(one.describe(), breaks_the_version_before(one)) for one in migration.operations]
        assert [(app, name, what, why) for what, why in found if why] == []


@pytest.mark.parametrize(
    "operation",
    [
        operations.RemoveField("deal", "price"),
        operations.RenameField("deal", "price", "cost"),
        operations.AddField("deal", "floor", models.IntegerField(default=0)),
        operations.AlterField("deal", "price", models.IntegerField()),
        operations.DeleteModel("deal"),
    ],
)
def test_a_migration_that_the_version_before_would_not_survive_is_named(operation):
    assert breaks_the_version_before(operation)


@pytest.mark.parametrize(
    "operation",
    [
        operations.AddField("deal", "floor", models.IntegerField(null=True)),
        operations.AddField("deal", "floor", models.IntegerField(db_default=0)),
        operations.CreateModel("lift", []),
        operations.AddIndex("deal", models.Index("price", name="deal_price")),
    ],
)
def test_a_migration_that_only_adds_is_not(operation):
    assert not breaks_the_version_before(operation)
