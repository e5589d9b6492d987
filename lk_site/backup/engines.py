"""What the two databases have in common: a copy as of one moment, filling one again, and a scratch one to look at."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from lk_site.backup import postgresql, sqlite
from lk_site.backup.sealing import Sink, Source

Settings = dict[str, Any]  # of a database, as Django has them
Pour = Callable[[Sink], None]  # writes the whole copy into a sink, or raises


class Snapshot(Protocol):
    """A database as of one moment."""

    @property
    def server(self) -> str:
        """The version of the database."""
        ...

    def ask(self, sql: str) -> list[tuple[Any, ...]]: ...
    def tables(self) -> list[str]: ...
    def source(self) -> AbstractContextManager[Source]:
        """Open the copy to be read, once; what goes wrong with it is raised at the end."""
        ...


class Engine(Protocol):
    """A kind of database. Each function may use a folder of its own for as long as it runs."""

    def snapshot(self, connection: Any, work: Path) -> AbstractContextManager[Snapshot]:
        """Look at the database of a Django connection as it is now, whoever writes meanwhile."""
        ...

    def fill(self, settings: Settings, pour: Pour, work: Path) -> None:
        """Put a copy in the place of all that is in a database, whole or not at all. Raises BackupRefused."""
        ...

    def scratch(self, connection: Any, work: Path) -> AbstractContextManager[Settings]:
        """Make an empty database beside that of a connection, and drop it in the end. Raises BackupRefused."""
        ...


ENGINES: dict[str, Engine] = {"postgresql": postgresql, "sqlite": sqlite}
