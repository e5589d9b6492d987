"""Hot writes: statements that are composed once a model and run prepared on PostgreSQL, as hot reads do.

Values go through their fields, encryption included, as `save` sends them. One insert through Django's compiler costs
ten of these. They belong inside a transaction: a broken connection there is told, and nothing is tried again.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import AutoField, Field, Model
from django.db.models.signals import post_save, pre_save

from lk_site.hot_reads import Rows, is_watched

PARAMETERS_AT_MOST = 32_766  # of a statement in SQLite; PostgreSQL takes twice as many


def run(sql: str, params: Sequence[Any] | Mapping[str, Any]) -> Rows:
    """Run a statement of ours, prepared on PostgreSQL, and return what it returns."""
    connection = connections[DEFAULT_DB_ALIAS]
    if is_watched(connection):
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall()) if cursor.description else []
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        bare = psycopg.Cursor(connection.connection).execute(sql, params, prepare=True, binary=True)
        return bare.fetchall() if bare.description else []


def insert(row: Model) -> None:
    """Insert a row that has its key, as `save(force_insert=True)` does, signals included."""
    model = type(row)
    pre_save.send(sender=model, instance=row, raw=False, using=DEFAULT_DB_ALIAS, update_fields=None)
    insert_all([row])
    post_save.send(sender=model, instance=row, created=True, raw=False, using=DEFAULT_DB_ALIAS, update_fields=None)


def insert_all(rows: Sequence[Model]) -> None:
    """Insert rows of one model in as few statements as may be; keys that the database makes are not told."""
    if not rows:
        return
    model = type(rows[0])
    fields = written_fields(model)
    at_once = PARAMETERS_AT_MOST // len(fields)
    for batch in (rows[at : at + at_once] for at in range(0, len(rows), at_once)):
        run(insert_statement(model, len(batch)), [value for row in batch for value in values_of(row, fields, True)])
        for row in batch:
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def update(row: Model, *names: str) -> None:
    """Write these fields of a row that is there and locked; no signals, as `QuerySet.update`."""
    fields = [field_of(type(row), name) for name in (*names, row._meta.pk.name)]
    run(update_statement(type(row), names), values_of(row, fields, False))


def values_of(row: Model, fields: Iterable["Field[Any, Any]"], is_new: bool) -> list[Any]:
    connection = connections[DEFAULT_DB_ALIAS]
    return [field.get_db_prep_save(field.pre_save(row, is_new), connection) for field in fields]


@cache
def written_fields(model: type[Model]) -> tuple["Field[Any, Any]", ...]:
    return tuple(field for field in model._meta.concrete_fields if not isinstance(field, AutoField))


@cache
def insert_statement(model: type[Model], count: int) -> str:
    quote, fields = connection.ops.quote_name, written_fields(model)
    row = f"({', '.join(['%s'] * len(fields))})"
    columns = ", ".join(quote(str(field.column)) for field in fields)
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES {', '.join([row] * count)}"  # nosec B608


@cache
def update_statement(model: type[Model], names: tuple[str, ...]) -> str:
    quote, meta = connection.ops.quote_name, model._meta
    pairs = ", ".join(f"{quote(field_of(model, name).column)} = %s" for name in names)
    return f"UPDATE {quote(meta.db_table)} SET {pairs} WHERE {quote(str(meta.pk.column))} = %s"  # nosec B608


def field_of(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name)
