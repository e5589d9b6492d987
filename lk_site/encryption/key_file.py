"""The key file while keys are made, put first and taken out: changed whole or not at all, by one command at a time."""

import copy
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from lk_site.encryption.keys import KEY_ID_AT_MOST, KeyInvalid, KeyMissing, Keys, new_key, parse_keys, read_private

Edit = Callable[[Keys], None]


class KeysInEnvironment(ImproperlyConfigured):
    """The keys stand in LK_KEYS, which only the operator can change; `text` is what it must be."""

    def __init__(self, keys: Keys) -> None:
        super().__init__("The keys stand in LK_KEYS: give it the value below on every machine, and run this again.")
        self.text = json.dumps(keys)


@dataclass(frozen=True)
class KeyFile:
    """Keys in a file of mode 0600, which keeps its owner."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def change(self, edit: Edit) -> Keys:
        """Let `edit` change the keys, check them, and write them in place of the old file; return them.

        Raises KeyInvalid and KeyMissing for a file that cannot be read or written and for keys that would not be valid;
        the old file stands then.
        """
        path = self.path.resolve()
        try:
            with alone_in(path.parent):
                keys = parse_keys(read_private(path), str(self))
                before = json.dumps(keys)
                edit(keys)
                if (after := json.dumps(keys)) != before:
                    write_whole(path, parse_keys(after, str(self)))
        except OSError as error:
            raise KeyInvalid(
                f"The key file {self} cannot be written ({error.strerror}); nothing was changed."
            ) from None
        return keys

    def keep_aside(self, entry: dict[str, Any]) -> Path:
        """Add a key that is being retired to a file beside, for backups made before, and return that file."""
        path = self.path.resolve().with_name(f"{self.path.name}.retired")
        with alone_in(path.parent):
            kept = json.loads(read_private(path)) if path.exists() else []
            if entry not in kept:
                write_whole(path, [*kept, entry], like=self.path.resolve())
        return path


@dataclass(frozen=True)
class KeyVariable:
    """Keys in the environment."""

    keys: Keys

    def __str__(self) -> str:
        return "LK_KEYS"

    def change(self, edit: Edit) -> Keys:
        """Raise KeysInEnvironment with the keys as `edit` changes them, unless it changes nothing."""
        changed = copy.deepcopy(self.keys)
        edit(changed)
        if changed != self.keys:
            raise KeysInEnvironment(changed)
        return changed

    def keep_aside(self, entry: dict[str, Any]) -> None:
        """Nothing can be kept here: whoever keeps LK_KEYS keeps its former values beside the backups."""


KeyStore = KeyFile | KeyVariable


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other command changes keys in this folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)  # so that the new name, too, survives a crash
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: Any, like: Path | None = None) -> None:
    """Put a file of mode 0600 in the place of another, which must never be found half written."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_private(draft, content)
        owner = (like or path).stat()
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, owner.st_uid, owner.st_gid)  # root changes keys of the user who serves
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_private(path: Path, content: Any) -> None:
    """Write JSON into a new file that only its owner may read, down to the disk."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def add_last(purpose: str, used: set[int]) -> Edit:
    """Return the change that adds a new key at the end of a ring, where it opens and does not encrypt.

    Its id is greater than any in the ring and any in `used`: an id that comes back would make two keys look like one.
    """

    def edit(keys: Keys) -> None:
        key_id = max({entry["id"] for entry in keys[purpose]} | used) + 1
        if key_id > KEY_ID_AT_MOST:
            raise KeyInvalid(f"{purpose} has had {KEY_ID_AT_MOST} keys, and there are no more ids.")
        keys[purpose].append({"id": key_id, "key": new_key()})

    return edit


def put_first(purpose: str, key_id: int) -> Edit:
    """Return the change that lets a key of the ring encrypt. It raises KeyMissing for one that is not there."""

    def edit(keys: Keys) -> None:
        keys[purpose].sort(key=lambda entry: bool(entry["id"] != key_id))  # stable: the others stay in their order
        if keys[purpose][0]["id"] != key_id:
            raise KeyMissing(f"The key {key_id} of {purpose} is not among the keys.")

    return edit


def take_out(purpose: str, key_id: int) -> Edit:
    """Return the change that removes a key from its ring."""

    def edit(keys: Keys) -> None:
        keys[purpose] = [entry for entry in keys[purpose] if entry["id"] != key_id]

    return edit
