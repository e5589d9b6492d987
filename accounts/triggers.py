"""Append-only tables: triggers refuse to change or delete evidence on both databases, and TRUNCATE on PostgreSQL.

SQLite drops a table's triggers whenever Django rebuilds it, so they are looked after each `migrate`, and the start of
the application asks for them again.
"""

from typing import Any

from django.apps import AppConfig
from django.db import connection as default_connection
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython
from django.db.models.signals import post_migrate

REFUSAL = """
CREATE OR REPLACE FUNCTION lk_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only (%)', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
REFUSE = "BEGIN SELECT RAISE(ABORT, '{table} is append-only ({what})'); END"
EXISTS = "EXISTS (SELECT 1 FROM {table} WHERE {same})"
ON_POSTGRESQL = {
    "{table}_no_change": "BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION lk_refuse_change()",
    "{table}_no_truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION lk_refuse_change()",
}
ON_SQLITE = {
    "{table}_no_update": f"BEFORE UPDATE ON {{table}} {REFUSE.replace('{what}', 'UPDATE')}",
    "{table}_no_delete": f"BEFORE DELETE ON {{table}} {REFUSE.replace('{what}', 'DELETE')}",
    "{table}_no_replace": f"BEFORE INSERT ON {{table}} WHEN {{taken}} {REFUSE.replace('{what}', 'REPLACE')}",
}
PRESENT_ON_POSTGRESQL = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
PRESENT_ON_SQLITE = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


def append_only() -> dict[type[models.Model], list[tuple[str, ...]]]:
    """Return the append-only models and the unique keys of each, by which SQLite's REPLACE would delete rows."""
    from accounts.models import ChangeRecord, Event

    return {Event: [("id",), ("agency_id", "seq")], ChangeRecord: [("id",)]}


def keep_installed() -> None:
    """Look after the triggers whenever migrations have run."""
    post_migrate.connect(install_after_migrate, dispatch_uid="accounts.triggers")


def install_after_migrate(sender: AppConfig, using: str, **kwargs: Any) -> None:
    if sender.name == "accounts":
        install(connections[using])


def install(connection: BaseDatabaseWrapper = default_connection) -> None:
    """Create the triggers that are missing on the append-only tables that exist."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        wanted = {
            name: sql
            for model in append_only()
            if model._meta.db_table in tables
            for name, sql in triggers_of(model, connection).items()
        }
        lacking = set(wanted) - present(connection)
        if lacking and connection.vendor == "postgresql":
            cursor.execute(REFUSAL)
        for name in sorted(lacking):
            cursor.execute(wanted[name])


def missing(connection: BaseDatabaseWrapper = default_connection) -> list[str]:
    """Return the append-only tables that lack one of their triggers, or have one switched off."""
    there = present(connection)
    return [model._meta.db_table for model in append_only() if set(triggers_of(model, connection)) - there]


def present(connection: BaseDatabaseWrapper) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(PRESENT_ON_POSTGRESQL if connection.vendor == "postgresql" else PRESENT_ON_SQLITE)
        return {name for (name,) in cursor.fetchall()}


def triggers_of(model: type[models.Model], connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return the statements that create the triggers of a table, by the triggers' names."""
    table, is_postgresql = model._meta.db_table, connection.vendor == "postgresql"
    taken = " OR ".join(EXISTS.format(table=table, same=same(key)) for key in append_only()[model])
    statements = {}
    for pattern, body in (ON_POSTGRESQL if is_postgresql else ON_SQLITE).items():
        name = pattern.format(table=table)
        create = "CREATE OR REPLACE TRIGGER" if is_postgresql else "CREATE TRIGGER IF NOT EXISTS"
        statements[name] = f"{create} {name} {body.format(table=table, taken=taken)}"
    return statements


def same(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"{column} = NEW.{column}" for column in columns)


def install_in_migration(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    install(editor.connection)


def remove_in_migration(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    for model in append_only():
        for name in triggers_of(model, editor.connection):
            on_table = f" ON {model._meta.db_table}" if editor.connection.vendor == "postgresql" else ""
            editor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}", params=None)


class InstallTriggers(RunPython):
    """The migration operation that makes the tables of evidence append-only."""

    def __init__(self) -> None:
        super().__init__(install_in_migration, remove_in_migration)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__qualname__, [], {}
