"""The files that processes count in: each has its own, and whoever is asked adds them up.

prometheus-client maps them into memory, so adding is no system call. It names them by pid, which a container or the
next start may use again; ours are named by pid and chance, and a lock that the system lifts when a process ends,
however it ends, tells which of them still counts. What ended processes have counted is kept, or sums would fall: it is
added up in one file. Where nobody is left, the next process begins with an empty folder.
"""

import fcntl
import json
import logging
import os
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

log = logging.getLogger("lk.metrics")

# more bytes than all routes fill; taken at once, or a full disk would later end the process by SIGBUS
ROOM = {"counter": 1 << 20, "histogram": 1 << 20, "gauge_livesum": 1 << 16, "gauge_livemax": 1 << 16}
ENDED = "ended"  # names the files of all processes that have ended
SUMMED = ("counter", "histogram")
PID_NAMESPACE = Path("/proc/self/ns/pid")


class Own:
    """This process among those that count; a forked one becomes another before it counts."""

    def __init__(self) -> None:
        self.kind, self.name, self.pid, self.has_failed = "command", "", 0, False
        self.lock: int | None = None

    def identity(self) -> str:
        """Return what this process's files are called."""
        if self.pid != os.getpid():
            self.begin()
        return self.name

    def begin(self) -> None:
        """Make this process's files. Raises OSError where there is no room for them."""
        if self.lock is not None:
            os.close(self.lock)  # the parent's, which holds it still
            self.lock = None
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        with folder_locked() as folder:
            if not living(folder):
                empty(folder)
            self.lock = os.open(folder / f"{name}.alive", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            os.write(self.lock, json.dumps({"kind": self.kind, "pid": os.getpid(), "place": place()}).encode())
            for kind, room in ROOM.items():
                allocate(folder / f"{kind}_{name}.db", room)
        self.name, self.pid = name, os.getpid()

    def fail(self, error: OSError) -> None:
        """Count no more in this process: nobody shall wait, or be refused, for a metric."""
        self.has_failed = True
        log.error("metrics are not counted in this process: %s", error.strerror)


own = Own()
preparing = threading.Lock()


def count_as(kind: str) -> None:
    """Say what this process and those that it forks are: web or worker; others are commands."""
    own.kind = kind


def client() -> Any:
    """Return prometheus-client, told to count in our files."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.METRICS_DIR)
    import prometheus_client
    from prometheus_client import values

    with preparing:  # two classes of values in one process would each have files of their own
        if not hasattr(values.ValueClass, "is_ours"):
            values.ValueClass = values.MultiProcessValue(own.identity)
            values.ValueClass.is_ours = True
    return prometheus_client


@contextmanager
def folder_locked() -> Iterator[Path]:
    """Have the folder to oneself: nobody begins or is added up meanwhile."""
    folder: Path = settings.METRICS_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)


@dataclass(frozen=True, slots=True)
class Living:
    """A process that counts."""

    name: str
    kind: str
    pid: int
    place: int


def living(folder: Path) -> list[Living]:
    return [Living(path.stem, **json.loads(path.read_text())) for path in folder.glob("*.alive") if is_locked(path)]


def is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def empty(folder: Path) -> None:
    for path in [*folder.glob("*.db"), *folder.glob("*.alive")]:
        path.unlink()


def allocate(path: Path, room: int) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room)


def place() -> int:
    """Return what is the same for processes that see each other's pids."""
    with suppress(OSError):
        return PID_NAMESPACE.stat().st_ino
    return 0


def gather() -> list[Living]:
    """Add up what ended processes have counted, forget what they were doing, and return those that live."""
    with folder_locked() as folder:
        alive = living(folder)
        kept = {ENDED, *(process.name for process in alive)}
        for kind in ROOM:
            paths = folder.glob(f"{kind}_*.db")
            fold(folder, kind, [path for path in paths if path.stem.removeprefix(f"{kind}_") not in kept])
        for path in folder.glob("*.alive"):
            if path.stem not in kept:
                path.unlink()
    return alive


def fold(folder: Path, kind: str, ended: list[Path]) -> None:
    """Add files to the one of ended processes, if they are summed at all, and remove them."""
    if ended and kind in SUMMED:
        write_sums(folder / f"{kind}_{ENDED}.db", ended)
    for path in ended:
        path.unlink()


def write_sums(total: Path, ended: list[Path]) -> None:
    """Put the sums of these files and what `total` has already in its place, at once."""
    from prometheus_client.mmap_dict import MmapedDict

    sums: defaultdict[str, float] = defaultdict(float)
    for path in [*ended, *([total] if total.exists() else [])]:
        for key, value, _at, _position in MmapedDict.read_all_values_from_file(path):
            sums[key] += value
    new = total.with_suffix(".new")
    allocate(new, max(path.stat().st_size for path in ended))
    written = MmapedDict(str(new))
    for key, value in sums.items():
        written.write_value(key, value, 0.0)
    written.close()
    new.replace(total)
