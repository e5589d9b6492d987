"""The whole database, looked at from outside the models: digests to tell what changed, and every value as text."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
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


def dumped() -> Iterator[tuple[str, str]]:
    """Yield every value of the database as the text that a dump would have, with the column it stands in."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            for column in connection.introspection.get_table_description(cursor, table):
                cursor.execute(f'SELECT {as_text(column.name)} FROM "{table}" WHERE "{column.name}" IS NOT NULL')
                for (value,) in cursor.fetchall():
                    yield f"{table}.{column.name}", value.hex() if isinstance(value, bytes) else str(value)


def as_text(column: str) -> str:
    return f'"{column}"::text' if connection.vendor == "postgresql" else f'"{column}"'


def moments() -> set[str]:
    """Return the columns of times: their microseconds are six digits by chance."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE data_type LIKE 'time%'"
            )
        else:
            cursor.execute(
                "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE c.type = 'datetime'"
            )
        return {f"{table}.{column}" for table, column in cursor.fetchall()}


def files() -> bytes:
    """Return the bytes of SQLite's files, freed pages and write-ahead log included; nothing of a server's database."""
    if connection.vendor != "sqlite":
        return b""
    name = Path(str(connection.settings_dict["NAME"]))
    return b"".join(path.read_bytes() for path in sorted(name.parent.glob(f"{name.name}*")))
