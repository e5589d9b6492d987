"""The whole database, looked at from outside the models: digests to tell what changed, and every value as text."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

NOT_OURS = ("django_migrations", "sqlite_sequence")


@dataclass(frozen=True)
class Digests:
    """A digest of each column of each table."""

    of_columns: dict[str, str]

    def differ_from(self, before: "Digests", besides: Sequence[str] = ()) -> list[str]:
        """Return the columns that changed, but for the named tables and `table.column`s."""
        changed = {name for name, digest in self.of_columns.items() if digest != before.of_columns.get(name)}
        return sorted(name for name in changed if name not in besides and name.partition(".")[0] not in besides)


def digests() -> Digests:
    """Return what tells this database from another state of it."""
    found = {}
    for table, columns, rows in tables():
        for position, column in enumerate(columns):
            values = sorted(repr((str(row[0]), plain(row[position]))) for row in rows)
            found[f"{table}.{column}"] = hashlib.sha256("\n".join(values).encode()).hexdigest()
    return Digests(found)


def tables() -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    """Yield every table with its columns and rows."""
    with connection.cursor() as cursor:
        names = [name for name in connection.introspection.table_names(cursor) if name not in NOT_OURS]
        for name in names:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)}")
            columns = [column[0] for column in cursor.description]
            yield name, columns, cursor.fetchall()


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
