"""Which processes run, and which keys each has loaded: a key must be known everywhere before it encrypts anywhere.

Two orders make that certain, whoever is slow or dies in between:

- a process that starts writes down its keys, and *then* looks at the canaries; it does not start if one of them was
  sealed with a key that it lacks;
- whoever lets a key encrypt plants its canary, and *then* looks at what running processes have written down; it goes
  no further if one of them lacks the key.

Each of the two writes before it reads, so at least one of them sees the other. A process that was not seen for a while
does not count. It may come back from wherever it was, so it serves nothing before it has renewed its lease, which looks
at the canaries once more: a lease ends earlier than others cease to count the process.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.db import DatabaseError, InterfaceError
from django.db.models.functions import Now

from accounts.models import RunningProcess
from accounts.services import canaries
from lk_site.encryption.keys import PURPOSES, KeyInvalid, KeyMissing, ring

log = logging.getLogger("lk.keys")

RENEW_EVERY_S = 30.0
LEASE_S = 120.0  # how long a process serves without having renewed
COUNTED_FOR = timedelta(seconds=180)  # longer than the lease by more than gunicorn gives a request
KEPT_FOR = timedelta(days=1)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")


class KeyNotEverywhere(KeyInvalid):
    """A key would encrypt what a running process could not read."""

    advice = ""

    def __init__(self, purpose: str, key_id: int, unaware: Iterable[RunningProcess]) -> None:
        self.unaware = list(unaware)
        super().__init__(
            f"The key {key_id} of {purpose} is not loaded by {', '.join(map(str, self.unaware))}. "
            "Copy the key file to every machine and restart what runs there; "
            f"a process that is gone ceases to count in {COUNTED_FOR.seconds // 60} minutes."
        )


class Lease:
    """This process's leave to serve, as long as it is seen and has every key that was used."""

    def __init__(self, row: RunningProcess, since: float) -> None:
        self.row = row
        self.renewing = threading.Lock()
        self.extend(since)

    def extend(self, since: float) -> None:
        self.renew_at, self.ends_at = since + RENEW_EVERY_S, since + LEASE_S

    def renew(self) -> bool:
        """Be seen, look at the canaries, and return whether to serve. One thread does it while the others go on."""
        if self.renewing.acquire(blocking=self.ends_at <= clock()):
            try:
                if self.renew_at <= clock():
                    self.renew_now()
            finally:
                self.renewing.release()
        return clock() < self.ends_at

    def renew_now(self) -> None:
        since = clock()
        try:
            be_seen(self.row)
            canaries.check_canaries()
        except (KeyMissing, KeyInvalid) as error:
            log.critical("this process serves no longer: %s Restart it with the key file of the others.", error)
            self.ends_at = since
        except (DatabaseError, InterfaceError) as error:
            log.error("not seen: no database (%s)", type(error).__name__)
        else:
            self.extend(since)


own: Lease | None = None


def may_serve() -> bool:
    """Return whether this process may read and write: always where nobody joined, as in commands."""
    return own is None or clock() < own.renew_at or own.renew()


def join(kind: str) -> RunningProcess:
    """Announce this process and its keys, and return its row.

    Raises KeyMissing or KeyInvalid where it lacks a key that was used or has another one of that id, and
    KeyNotEverywhere where it would encrypt with a key that a running process does not know.
    """
    global own
    since, row = clock(), announced(kind)
    try:
        canaries.check_canaries()
        for purpose in canaries.GUARDED:
            begin_use(purpose, ring(purpose).active_id)
    except (KeyMissing, KeyInvalid):
        row.delete()
        raise
    own = Lease(row, since)
    return row


@contextmanager
def joined(kind: str) -> Iterator[None]:
    """Be one of the running processes for the time of the block."""
    global own
    row = join(kind)
    try:
        yield
    finally:
        own = None
        with suppress(DatabaseError, InterfaceError):
            row.delete()


def begin_use(purpose: str, key_id: int) -> None:
    """Let a key encrypt from now on. Raises KeyNotEverywhere while a running process does not know it."""
    refuse_unaware(purpose, key_id)
    if purpose in canaries.GUARDED and canaries.plant(purpose, key_id):
        try:
            refuse_unaware(purpose, key_id)
        except KeyNotEverywhere:
            canaries.uproot(purpose, key_id)
            raise


def refuse_unaware(purpose: str, key_id: int) -> None:
    if unaware := [process for process in running() if not process.knows(purpose, mark(purpose, key_id))]:
        raise KeyNotEverywhere(purpose, key_id, unaware)


def running() -> list[RunningProcess]:
    """Return the processes that count: seen lately and, where they ran here, still there."""
    rows = RunningProcess.objects.annotate(now=Now()).order_by("kind", "host", "pid")
    lately = [row for row in rows if row.now - row.seen_at <= COUNTED_FOR]
    here = place()
    dead = {row.pk for row in lately if here and row.place == here and not is_alive(row.pid)}
    RunningProcess.objects.filter(pk__in=dead).delete()
    return [row for row in lately if row.pk not in dead]


def announced(kind: str) -> RunningProcess:
    """Write this process down and return its row."""
    row = RunningProcess(kind=kind, host=socket.gethostname(), pid=os.getpid(), place=place(), keys=marks())
    be_seen(row)
    return row


def be_seen(row: RunningProcess) -> None:
    """Write that the process was there now, by the clock of the database."""
    if not RunningProcess.objects.filter(pk=row.pk).update(seen_at=Now()):
        row.save(force_insert=True)
        RunningProcess.objects.filter(pk=row.pk).update(seen_at=Now())


def marks() -> dict[str, list[str]]:
    """Return the marks of every key that this process has loaded, of each purpose in the order of its ring."""
    return {purpose: [mark(purpose, key_id) for key_id in ring(purpose).keys] for purpose in PURPOSES}


def mark(purpose: str, key_id: int) -> str:
    """Return a key's id with its fingerprint: two machines may have made different keys of one id."""
    return f"{key_id}:{ring(purpose).fingerprint(key_id)}"


def place() -> str:
    """Return what is the same for processes that see each other's pids: boot and pid namespace; empty where unknown."""
    try:
        return f"{BOOT_ID.read_text().strip()} {PID_NAMESPACE.stat().st_ino}"
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def clock() -> float:
    """Return seconds since the boot, those of a suspended machine included, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def sweep(now: datetime) -> None:
    """Forget processes that were not seen for a day."""
    RunningProcess.objects.filter(seen_at__lt=now - KEPT_FOR).delete()
