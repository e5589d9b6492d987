"""Hot reads: a queryset is compiled once, with holes for its parameters, and its text runs as a prepared statement.

The queryset stays the source, `visible_to` included. One API list through it costs 2.5 floors, as `.values_list()` 5.7.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, NotSupportedError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Field, Func, GenericIPAddressField, JSONField, Model, QuerySet, Value

Rows = list[tuple[Any, ...]]
Converter = Callable[[Any, Any, BaseDatabaseWrapper], Any]
TEXT_ONLY = (JSONField, GenericIPAddressField)  # Django's loaders for them understand psycopg's text format alone


class Param(Value):
    """A hole in a compiled queryset, filled by name on each call: `filter(agency_id=Param("agency", Agency._meta.pk))`.

    `field` says how a value is written for the database; a foreign key takes the field that it points at.
    """

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(name, output_field=field)

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        return "%s", [self]

    def filled(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> Any:
        """Return the value of this hole as the database takes it."""
        return self.output_field.get_db_prep_value(values[self.value], connection)


class RowBefore(Func):
    """`(a, b) < (x, y)`: rows that come after (x, y) in an order by `-a, -b`, compared as the index compares them."""

    output_field = BooleanField()
    operator = "<"

    def __init__(self, columns: Sequence[str], values: Sequence[Any]) -> None:
        if not columns or len(columns) != len(values):
            raise ValueError("a row is compared with as many values as it has columns")
        super().__init__(*map(F, columns), *values)

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper, *args: Any, **extra: Any) -> Any:
        pieces, params = [], []
        for expression in self.get_source_expressions():
            sql, own = compiler.compile(expression)
            pieces.append(sql)
            params.extend(own)
        half = len(pieces) // 2
        return f"({', '.join(pieces[:half])}) {self.operator} ({', '.join(pieces[half:])})", params


class RowAfter(RowBefore):
    """`(a, b) > (x, y)`: rows that come after (x, y) in an order by `a, b`."""

    operator = ">"


class Plan(NamedTuple):
    """A compiled queryset: its text, its parameters with holes, and what turns columns into Python values."""

    sql: str
    params: list[Any]
    holes: frozenset[str]
    converters: list[tuple[int, list[Converter], Any]]
    is_binary: bool

    def filled(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
        if values.keys() != self.holes:
            raise TypeError(f"this query takes {sorted(self.holes)}, not {sorted(values)}")
        return [param.filled(values, connection) if type(param) is Param else param for param in self.params]


class Compiled:
    """A queryset of tuples (`values_list`, `cells`) compiled at its first use; one plan for each limit.

    `build` returns it, with a Param wherever calls differ. It must not depend on anything else that changes.
    """

    def __init__(self, build: Callable[[], QuerySet[Any, Any]], using: str = DEFAULT_DB_ALIAS) -> None:
        self.build = build
        self.using = using
        self.plans: dict[tuple[str, int | None], Plan] = {}  # threads may both compile: the plans are equal

    def rows(self, *, limit: int | None = None, **values: Any) -> Rows:
        """Return the rows for these values, at most `limit`. Raises what Django raises when the database is away."""
        connection = connections[self.using]
        plan = self.plan(connection, limit)
        found = fetch(connection, plan, plan.filled(values, connection))
        return converted(found, plan.converters, connection) if plan.converters else found

    def row(self, **values: Any) -> tuple[Any, ...] | None:
        """Return the first row for these values, or None."""
        return next(iter(self.rows(limit=1, **values)), None)

    def plan(self, connection: BaseDatabaseWrapper, limit: int | None) -> Plan:
        try:
            return self.plans[connection.vendor, limit]
        except KeyError:
            plan = self.plans[connection.vendor, limit] = compiled(self.build(), connection, limit)
            return plan


class CompiledObjects:
    """A compiled queryset whose rows come as objects of the model, with those that `related` foreign keys point at."""

    def __init__(self, model: type[Model], build: Callable[[], QuerySet[Any, Any]], *related: str) -> None:
        kinds = [model, *(cast(type[Model], model._meta.get_field(name).related_model) for name in related)]
        names = [tuple(field.attname for field in kind._meta.concrete_fields) for kind in kinds]
        starts = [0, *accumulate(map(len, names))]
        self.pieces = list(zip(("", *related), kinds, names, starts, strict=False))
        columns = [f"{path}__{name}" if path else name for path, _, own, _ in self.pieces for name in own]
        self.query = Compiled(lambda: QuerySet.values_list(build(), *columns))  # sealed columns come as cells

    def objects(self, *, limit: int | None = None, **values: Any) -> list[Any]:
        """Return the objects for these values, at most `limit`."""
        return [self.made(row) for row in self.query.rows(limit=limit, **values)]

    def made(self, row: tuple[Any, ...]) -> Any:
        main, *related = (
            None if row[start] is None else kind.from_db(self.query.using, names, row[start : start + len(names)])
            for _path, kind, names, start in self.pieces
        )
        for (path, *_), piece in zip(self.pieces[1:], related, strict=True):
            setattr(main, path, piece)
        return main


def compiled(queryset: QuerySet[Any, Any], connection: BaseDatabaseWrapper, limit: int | None) -> Plan:
    """Return the plan of a queryset for this kind of database."""
    compiler = (queryset if limit is None else queryset[:limit]).query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    columns = [column for column, _, _ in compiler.select]
    converters = [(at, *both) for at, both in compiler.get_converters(columns).items()]
    return Plan(
        sql=sql,
        params=list(params),
        holes=frozenset(param.value for param in params if type(param) is Param),
        converters=converters,
        is_binary=not any(isinstance(column.output_field, TEXT_ONLY) for column in columns),
    )


def converted(rows: Rows, converters: Collection[tuple[int, list[Converter], Any]], connection: Any) -> Rows:
    """Return rows with their columns as Python values."""
    results = [list(row) for row in rows]
    for at, steps, expression in converters:
        for step in steps:
            for cells in results:
                cells[at] = step(cells[at], expression, connection)
    return [tuple(cells) for cells in results]


def fetch(connection: BaseDatabaseWrapper, plan: Plan, params: Sequence[Any]) -> Rows:
    """Run a plan: bare and prepared on PostgreSQL, through Django's cursor elsewhere and where statements are counted.

    A read outside a transaction is tried once more on a new connection: the server may have restarted, or a migration
    changed a column under the prepared statement.
    """
    if is_watched(connection):
        with connection.cursor() as cursor:
            cursor.execute(plan.sql, params)
            return list(cursor.fetchall())
    try:
        rows = fetch_prepared(connection, plan, params)
        connection.health_check_done = True  # type: ignore[attr-defined]  # Django's own would be one more round trip
        return rows
    except (OperationalError, InterfaceError, NotSupportedError):
        if connection.in_atomic_block:
            connection.close_at = 0  # after this request: its prepared plan may be stale
            raise
        with contextlib.suppress(OperationalError, InterfaceError):
            connection.close()
        return fetch_prepared(connection, plan, params)


def is_watched(connection: BaseDatabaseWrapper) -> bool:
    """Return whether statements go through Django's cursor: on SQLite, and where they are counted."""
    return connection.vendor != "postgresql" or connection.queries_logged or bool(connection.execute_wrappers)


def fetch_prepared(connection: BaseDatabaseWrapper, plan: Plan, params: Sequence[Any]) -> Rows:
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:  # Django's exceptions, and a broken connection is dropped later
        cursor = psycopg.Cursor(connection.connection)
        return cursor.execute(plan.sql, params, prepare=True, binary=plan.is_binary).fetchall()
