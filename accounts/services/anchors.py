"""Anchors: the heads of all chains, written down outside the database, so that a cut tail shows.

Whoever may write every table can take the last events away and set the head back: what is left is a whole chain. The
numbers and MACs that stood there before are in files of their own, which belong on another disk or machine.

One file a month, one JSON object a line: when, and of the heads that moved since the last anchor agency, number and
MAC. Each line is chained to the one before, over the files too, by an HMAC with the key of the audit. A new file names
every head, so that it stands for itself.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts.models import AgencyHead
from accounts.models.evidence import canonical_json
from accounts.services import limits
from lk_site.encryption.keys import KeyMissing, ring

ANCHOR_FORMAT = b"lk anchor 1"
HEADS_IN_LINE = 1000
LINE_AT_MOST = 256 * 1024  # bytes: a thousand heads take about half of it
DAY = "evidence.anchors.day"

Head = tuple[UUID, int, bytes]  # agency, number, MAC
Numbers = dict[int, bytes]  # the MACs that were anchored, by number
Shown = list[list[str | int]]  # heads as a line holds them


class AnchorsBroken(Exception):
    """The files of anchors are not as they were written; the text says which, where and what."""


def anchor_if_due(now: datetime) -> int:
    """Anchor once a day and whenever an agency has ANCHOR_EVENTS more, by one worker; return how many heads."""
    if not is_due(now) or not limits.take("evidence.anchors", "", now=now):
        return 0
    count = anchor(now)
    limits.block(DAY, "", until=now + settings.ANCHOR_EVERY)
    return count


def is_due(now: datetime) -> bool:
    """Tell whether a chain has grown by so much, or a day has passed since the last anchor."""
    much = AgencyHead.objects.filter(seq__gte=F("anchored_seq") + settings.ANCHOR_EVENTS)
    return limits.blocked(DAY, "", now=now) is None or much.exists()


def anchor(now: datetime | None = None) -> int:
    """Write the heads that moved since the last anchor into the file of the month, and return how many.

    The file is on the disk before the database says so: whoever is killed in between anchors the same heads again.
    Raises AnchorsBroken where the last line is none of ours, and OSError.
    """
    now = now or timezone.now()
    with locked_folder() as folder:
        path, previous = file_of(folder, now), last_mac(folder)
        heads = AgencyHead.objects.order_by("agency_id").values_list("agency_id", "seq", "mac")
        rows = heads.filter(seq__gt=F("anchored_seq") if path.exists() else 0)
        moved = [(agency_id, seq, bytes(mac)) for agency_id, seq, mac in rows]
        for start in range(0, len(moved), HEADS_IN_LINE):
            batch = moved[start : start + HEADS_IN_LINE]
            previous = append(path, batch, now, previous)
            say_anchored(batch)
    return len(moved)


def say_anchored(heads: Iterable[Head]) -> None:
    """Let the database know up to where each chain is anchored; never back."""
    for agency_id, seq, _ in heads:
        AgencyHead.objects.filter(pk=agency_id, anchored_seq__lt=seq).update(anchored_seq=seq)


# --- files


@contextmanager
def locked_folder() -> Iterator[Path]:
    """Hold the folder against others on this machine, without a line that a crash or a full disk has cut short."""
    folder: Path = settings.ANCHORS_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        drop_unfinished(folder)
        yield folder
    finally:
        os.close(number)  # and the lock with it


def drop_unfinished(folder: Path) -> None:
    """Take away a line without its end: the database was not told of it."""
    for path in files_in(folder)[-1:]:
        tail = tail_of(path)
        if not tail.endswith(b"\n"):
            os.truncate(path, path.stat().st_size - len(tail) + tail.rfind(b"\n") + 1)


def files_in(folder: Path) -> list[Path]:
    """Return the files of anchors in a folder, the oldest first."""
    return sorted(folder.glob("anchors-*.jsonl"))


def file_of(folder: Path, now: datetime) -> Path:
    """Return the file that goes on: that of the month, or the newest, should the clock have been set back."""
    return max([*files_in(folder)[-1:], folder / f"anchors-{now:%Y-%m}.jsonl"])


def last_mac(folder: Path) -> bytes:
    """Return the MAC that the next line is chained to, nothing for the first one. Raises AnchorsBroken."""
    for path in reversed(files_in(folder)):
        if line := tail_of(path).rstrip(b"\n").rpartition(b"\n")[2]:
            try:
                return bytes.fromhex(json.loads(line)["mac"])
            except (ValueError, KeyError, TypeError):
                raise AnchorsBroken(f"{path}: its last line is no anchor") from None
    return b""


def tail_of(path: Path) -> bytes:
    """Return the end of a file, its last line whole."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LINE_AT_MOST))
        return file.read()


def append(path: Path, heads: Sequence[Head], now: datetime, previous: bytes) -> bytes:
    """Write one line, see it onto the disk, and return its MAC."""
    at = now.isoformat()
    shown: Shown = [[str(agency_id), seq, mac.hex()] for agency_id, seq, mac in heads]
    mac = line_mac(at, shown, previous)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
        file.write(line_of(at, shown, mac) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return mac


def line_of(at: str, heads: Shown, mac: bytes) -> bytes:
    return canonical_json({"at": at, "heads": heads, "mac": mac.hex()}).encode()


def line_mac(at: str, heads: Shown, previous: bytes, key_id: int | None = None) -> bytes:
    """Return the MAC of a line after the one before: a key's id, and HMAC-SHA256. May raise KeyMissing."""
    keys = ring("audit")
    key_id = keys.active_id if key_id is None else key_id
    return bytes((key_id,)) + keys.mac(ANCHOR_FORMAT + previous + canonical_json([at, heads]).encode(), key_id)


# --- reading them again


def read(folders: Iterable[Path]) -> dict[UUID, Numbers]:
    """Return what was anchored of each agency; the folders of all machines that anchor, each a chain of its own.

    Where two anchors of one number disagree, its MAC is empty and fits no event. Raises AnchorsBroken for files that
    are gone or not as they were written.
    """
    found: dict[UUID, Numbers] = {}
    for folder in folders:
        for agency_id, seq, mac in anchors_in(folder):
            numbers = found.setdefault(agency_id, {})
            numbers[seq] = mac if numbers.get(seq, mac) == mac else b""
    return found


def anchors_in(folder: Path) -> Iterator[Head]:
    """Yield the anchors of a folder up to the first line that is not as it was written. Raises AnchorsBroken."""
    paths, previous = files_in(folder), b""
    if not paths:
        raise AnchorsBroken(f"{folder}: there are no anchors")
    for path in paths:
        for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
            heads, previous = opened(line, previous, f"{path}, line {number}")
            yield from heads


def opened(line: bytes, previous: bytes, where: str) -> tuple[list[Head], bytes]:
    """Return the heads in a line and its MAC. Raises AnchorsBroken for one that was edited, added or lost its place."""
    try:
        told = json.loads(line)
        at, shown, mac = told["at"], told["heads"], bytes.fromhex(told["mac"])
        if line == line_of(at, shown, mac) and mac == line_mac(at, shown, previous, mac[0]):
            return [(UUID(agency_id), seq, bytes.fromhex(mac_)) for agency_id, seq, mac_ in shown], mac
    except (ValueError, KeyError, TypeError, IndexError, KeyMissing):
        pass  # said below
    raise AnchorsBroken(f"{where}: the anchor is not as it was written, or one before it is gone")
