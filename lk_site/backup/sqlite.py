"""SQLite: VACUUM INTO makes the copy, which holds no deleted rows; the backup API fills a database that others use."""

import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lk_site.backup import BackupDamaged, BackupRefused
from lk_site.backup.sealing import Sink, Source

GZIP = 31  # zlib's number for it: `age --decrypt | gunzip` gives the database file
AT_ONCE = 1 << 16
WAIT_S = 20.0  # for a writer


@dataclass
class Snapshot:
    """A copy of the database in a file of its own."""

    connection: sqlite3.Connection
    path: Path
    server = sqlite3.sqlite_version

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def tables(self) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        return [name for (name,) in self.ask(query)]

    @contextmanager
    def source(self) -> Iterator[Source]:
        with self.path.open("rb") as file:
            yield Deflated(file)


class Deflated:
    """A file read compressed."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.zlib = zlib.compressobj(wbits=GZIP)
        self.ready = b""
        self.has_ended = False

    def read(self, size: int = -1) -> bytes:
        while not self.ready and not self.has_ended:
            piece = self.file.read(AT_ONCE)
            self.has_ended = not piece
            self.ready = self.zlib.compress(piece) if piece else self.zlib.flush()
        size = len(self.ready) if size < 0 else size
        taken, self.ready = self.ready[:size], self.ready[size:]
        return taken


class Inflated:
    """A file that is written compressed and holds what that stands for."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.zlib = zlib.decompressobj(wbits=GZIP)

    def write(self, data: bytes) -> int:
        try:
            self.file.write(self.zlib.decompress(data))
        except zlib.error:
            raise BackupDamaged("The backup is damaged: it does not unpack.") from None
        return len(data)


@contextmanager
def snapshot(connection: Any, work: Path) -> Iterator[Snapshot]:
    copy = private(work / "copy.sqlite3")
    try:
        with refusals(), closing(opened(connection.settings_dict)) as source:
            source.execute("VACUUM INTO ?", [str(copy)])
        with closing(sqlite3.connect(copy)) as own:
            yield Snapshot(own, copy)
    finally:
        copy.unlink()


def fill(settings: dict[str, Any], pour: Callable[[Sink], None], work: Path) -> None:
    copy = private(work / "restored.sqlite3")
    with copy.open("wb") as file:
        pour(Inflated(file))
    with refusals(), closing(sqlite3.connect(copy)) as source, closing(opened(settings, "rwc")) as target:
        check(source)
        source.backup(target, progress=Patience())
    copy.unlink()


def check(copy: sqlite3.Connection) -> None:
    """Raise BackupDamaged unless a file is a database in order."""
    try:
        found = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        found = None
    if found != ("ok",):
        raise BackupDamaged("The backup is damaged: SQLite finds no database in order in it.")


class Patience:
    """Ends a copy that others do not let write: it would try for ever."""

    def __init__(self) -> None:
        self.until = time.monotonic() + WAIT_S

    def __call__(self, status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > self.until:
            raise BackupRefused("Others write into the database; stop LK first.")


@contextmanager
def scratch(connection: Any, work: Path) -> Iterator[dict[str, Any]]:
    path = work / "scratch.sqlite3"
    try:
        yield {**connection.settings_dict, "NAME": str(path)}
    finally:
        path.unlink(missing_ok=True)


def opened(settings: dict[str, Any], mode: str = "rw") -> sqlite3.Connection:
    """Open the database of these settings past Django, which would begin a transaction."""
    name = f"{Path(str(settings['NAME'])).resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(name, uri=True, timeout=WAIT_S, isolation_level=None)


@contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BackupRefused(f"SQLite refuses: {error}.") from None


def private(path: Path) -> Path:
    """Make an empty file of mode 0600 and return its path."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return path
