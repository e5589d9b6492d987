"""`python -m lk_site.backup.age seal SOURCE TARGET AGE1…` and `open SOURCE TARGET IDENTITY`: a file sealed, and opened.

For archive_command and restore_command of PostgreSQL, so it asks nothing of Django and starts in a fifth of a second.
`-` is standard input of `seal` and standard output of `open`. A target appears whole or not at all, down to the disk.
"""

import hashlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lk_site.backup import BackupRefused, sealing


def seal(source: str, target: Path, recipients: list[str]) -> None:
    """Seal a file. A target that is there must be of the same file: PostgreSQL may ask twice after a crash."""
    with reading(source) as file:
        if target.exists():
            refuse_other(file, target)
            return
        digested = Digested(file)
        with draft_of(target) as draft:
            with private(draft) as out:
                sealing.seal(digested, out, recipients)
            with private(digest_of(draft)) as out:
                out.write(digested.sha256.hexdigest().encode())
            digest_of(draft).replace(digest_of(target))  # first: whoever finds a target finds its digest
            draft.replace(target)


def unseal(source: Path, target: str, identity: Path) -> None:
    identities = sealing.identities_in(identity)
    with source.open("rb") as file:
        if target == "-":
            sealing.unseal(file, sys.stdout.buffer, identities)
        else:
            with draft_of(Path(target)) as draft:
                with private(draft) as out:
                    sealing.unseal(file, out, identities)
                draft.replace(target)


class Digested:
    """A file that is digested while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.sha256.update(data)
        return data


def refuse_other(file: BinaryIO, target: Path) -> None:
    """Raise BackupRefused unless the target was sealed from what the file holds."""
    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if not digest_of(target).exists() or digest_of(target).read_text() != found:
        raise BackupRefused(f"{target} is there already, and is not of this file.")


def digest_of(target: Path) -> Path:
    """Return the file that keeps the SHA-256 of what a target was sealed from."""
    return target.with_name(f"{target.name}.sha256")


@contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """Name a file beside the target to write first; in the end the folder is on the disk, and no draft in it."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        yield draft
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    finally:
        draft.unlink(missing_ok=True)
        digest_of(draft).unlink(missing_ok=True)


@contextmanager
def private(path: Path) -> Iterator[BinaryIO]:
    """Open a new file of mode 0600, written down to the disk."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def reading(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
    else:
        with Path(source).open("rb") as file:
            yield file


def main(words: list[str]) -> None:
    match words:
        case ["seal", source, target, _, *_]:
            seal(source, Path(target), words[3:])
        case ["open", source, target, identity]:
            unseal(Path(source), target, Path(identity))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (BackupRefused, OSError) as refused:
        sys.exit(f"{refused}")
