"""Backups as folders of a folder: each appears whole or not at all, and is named for its moment."""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from lk_site.backup import BackupDamaged, BackupRefused

FORMAT = 1
DATABASE, MANIFEST = "database.age", "manifest.json"
NAMED = re.compile(r"lk-\d{8}T\d{12}Z")  # to the microsecond, so that names sort by time
DRAFT = ".draft-"


@dataclass(frozen=True)
class Manifest:
    """What a backup says about itself in clear. It holds no personal data."""

    made_at: str  # the moment of the snapshot, ISO 8601
    database: str  # postgresql | sqlite
    server: str  # the version of the database
    migrations: dict[str, str]  # app -> the last one applied
    rows: dict[str, int]  # table -> how many, in the snapshot
    keys: dict[str, list[str]]  # purpose -> id and fingerprint of each key that values may stand under
    sealed_to: list[str]  # public keys
    size: int = 0  # bytes
    sha256: str = ""  # of the sealed database
    format: int = FORMAT
    seal: str = ""  # a key's id and MAC over all of the above: see `accounts.services.backups`

    def sealed_part(self) -> bytes:
        """Return what the seal stands for."""
        return json.dumps(asdict(replace(self, seal="")), sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Sealed:
    """How much was written, and its SHA-256."""

    size: int  # bytes
    sha256: str


class Digested:
    """A file that is digested while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self.file.write(data)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Be the only command in a folder, and remove what killed ones left there; raises BackupRefused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for leftover in folder.glob(f"{DRAFT}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield
        os.fsync(descriptor)  # so that new names survive a crash
    except BlockingIOError:
        raise BackupRefused(f"Another backup command works in {folder}; wait for it.") from None
    finally:
        os.close(descriptor)


@contextmanager
def working_in(folder: Path, name: str = "work") -> Iterator[Path]:
    """Give a new folder that nobody else may read, and remove it in the end."""
    draft = folder / f"{DRAFT}{name}"
    draft.mkdir(mode=0o700)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def name_of(made_at: datetime) -> str:
    return f"lk-{made_at:%Y%m%dT%H%M%S%f}Z"


def publish(draft: Path, backup: Path) -> None:
    """Let a finished draft become a backup, at once."""
    sync(draft)
    draft.rename(backup)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, write: Callable[[Digested], object]) -> Sealed:
    """Write a new file of mode 0600 down to the disk, and return what it holds."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        digested = Digested(file)
        write(digested)
        file.flush()
        os.fsync(file.fileno())
    return Sealed(digested.size, digested.sha256.hexdigest())


def write_manifest(backup: Path, manifest: Manifest) -> None:
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"
    write_private(backup / MANIFEST, lambda file: file.write(text.encode()))


def read_manifest(backup: Path) -> Manifest:
    """Return the manifest of a backup, or raise BackupRefused."""
    try:
        found = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
        if found["format"] > FORMAT:
            raise BackupRefused(f"{backup} was made by a newer LK, which alone restores it.")
        return Manifest(**found)
    except OSError as error:
        raise BackupRefused(f"{backup} is no backup: its {MANIFEST} cannot be read ({error.strerror}).") from None
    except (ValueError, TypeError, KeyError):
        raise BackupDamaged(f"The {MANIFEST} of {backup} is damaged.") from None


def check_digest(backup: Path, manifest: Manifest) -> None:
    """Read the sealed database once, and raise BackupDamaged unless it is the one of the manifest."""
    try:
        with (backup / DATABASE).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise BackupDamaged(f"The {DATABASE} of {backup} cannot be read ({error.strerror}).") from None
    if size != manifest.size:
        raise BackupDamaged(f"The backup is cut: {size:,} of {manifest.size:,} bytes are there.")
    if digest != manifest.sha256:
        raise BackupDamaged("The backup is damaged: its SHA-256 is not the one of the manifest.")


def backups_in(folder: Path) -> list[Path]:
    """Return the backups of a folder, the newest first."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in found if NAMED.fullmatch(path.name)), key=lambda path: path.name, reverse=True)


def remove(backup: Path) -> None:
    """Remove a backup, so that half of one never looks like a backup."""
    aside = backup.with_name(f"{DRAFT}{backup.name}")
    backup.rename(aside)
    shutil.rmtree(aside)
