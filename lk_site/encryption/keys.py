"""Keys: outside the database, one ring per purpose; the first key of a ring encrypts, all decrypt.

Imported by settings: nothing here may need a model.
"""

import base64
import binascii
import hmac
import json
import secrets
import stat
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

Keys = dict[str, list[dict[str, Any]]]
PURPOSES = ("fields", "client_index", "agent_index", "codes", "audit", "digests", "signing")
KEY_BYTES = 32
KEY_ID_AT_MOST = 127  # a byte in every value, and a short index of 24 bits still fits a signed 32-bit column
ADVICE = " Put the keys of this database into LK_KEYS_FILE or LK_KEYS."


class KeyMissing(ImproperlyConfigured):
    """A key file, a purpose or a key is not there."""

    advice = ADVICE


class KeyInvalid(ImproperlyConfigured):
    """Keys are there and cannot be used: readable by others, of a wrong shape, or not the ones of this database."""

    advice = ADVICE


class Ring:
    """The keys of one purpose by their ids, and the ciphers derived from them, kept because deriving costs 20 µs."""

    def __init__(self, purpose: str, keys: dict[int, bytes]) -> None:
        self.purpose = purpose
        self.keys = keys
        self._ciphers: dict[tuple[int, bytes], AESGCM] = {}

    def __repr__(self) -> str:
        return f"<Ring {self.purpose}: keys {', '.join(map(str, self.keys))}>"

    @cached_property
    def active_id(self) -> int:
        """Return the id of the key that encrypts."""
        return next(iter(self.keys))

    def key(self, key_id: int) -> bytes:
        """Return a key, or raise KeyMissing."""
        try:
            return self.keys[key_id]
        except KeyError:
            raise KeyMissing(f"The key {key_id} of {self.purpose} is not loaded.") from None

    def cipher(self, key_id: int, label: bytes) -> AESGCM:
        """Return the cipher of one column (`label`) under one key, derived by HKDF-SHA256; raises KeyMissing."""
        try:
            return self._ciphers[key_id, label]
        except KeyError:
            derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"lk field 1\0" + label)
            cipher = self._ciphers[key_id, label] = AESGCM(derive.derive(self.key(key_id)))
            return cipher

    def mac(self, message: bytes, key_id: int | None = None) -> bytes:
        """Return the HMAC-SHA256 of a message, under the active key unless an id says otherwise."""
        return hmac.digest(self.key(self.active_id if key_id is None else key_id), message, "sha256")

    @property
    def newest_id(self) -> int:
        """Return the id of the key that was made last: ids only grow."""
        return max(self.keys)

    def fingerprint(self, key_id: int) -> str:
        """Return what tells this key from another one of the same id, and nothing of it."""
        return self.mac(b"lk key fingerprint 1", key_id)[:6].hex()


@cache
def ring(purpose: str) -> Ring:
    """Return the keys of a purpose as settings have them, or raise KeyMissing."""
    keys = settings.KEYS.get(purpose)
    if not keys:
        raise KeyMissing(f"There is no key for {purpose}: set LK_KEYS_FILE to a file of mode 0600, or LK_KEYS.")
    return Ring(purpose, {key["id"]: decode_key(purpose, key["key"]) for key in keys})


def forget_rings(*, setting: str, **kwargs: Any) -> None:
    """Build rings anew when a test overrides the keys."""
    if setting == "KEYS":
        ring.cache_clear()


setting_changed.connect(forget_rings, dispatch_uid="lk_site.encryption.keys")


def load_keys(path: Path | str | None, text: str | None = None) -> Keys:
    """Return the keys of the environment's `text`, or else those of the file at `path`, or none where neither is there.

    Without keys a linter can read the settings, and whatever asks for a ring gets KeyMissing. Raises KeyMissing for
    keys that lack a purpose, KeyInvalid for a file that others may read and for a wrong shape.
    """
    if text:
        return parse_keys(text, "LK_KEYS")
    if path is None or not Path(path).exists():
        return {}
    return parse_keys(read_private(Path(path)), str(path))


def read_private(path: Path) -> str:
    """Return the text of a file that only its owner may read, or raise KeyMissing or KeyInvalid."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyInvalid(f"The key file {path} cannot be read ({type(error).__name__}).") from None
    if mode & 0o077:
        raise KeyInvalid(f"The key file {path} has mode {mode:04o}, others may read it; run: chmod 600 {path}")
    return text


def parse_keys(text: str, source: str) -> Keys:
    """Return checked keys from JSON, or raise KeyInvalid naming the source and never a key."""
    try:
        keys = json.loads(text)
    except ValueError:
        raise KeyInvalid(f"The keys in {source} are not JSON.") from None
    if not isinstance(keys, dict) or not all(isinstance(ring, list) for ring in keys.values()):
        raise KeyInvalid(f"The keys in {source} are not an object of lists, one a purpose.")
    if missing := [purpose for purpose in PURPOSES if not keys.get(purpose)]:
        raise KeyMissing(f"The keys in {source} lack {', '.join(missing)}.")
    if unknown := sorted(set(keys) - set(PURPOSES)):
        raise KeyInvalid(f"The keys in {source} have an unknown purpose: {', '.join(unknown)}.")
    check_rings(keys, source)
    return keys


def check_rings(keys: Keys, source: str) -> None:
    """Raise KeyInvalid for an id or a key of a wrong shape, and for one that stands twice."""
    seen: set[bytes] = set()
    for purpose, entries in keys.items():
        ids = [entry.get("id") if isinstance(entry, dict) else None for entry in entries]
        if not all(type(key_id) is int and 1 <= key_id <= KEY_ID_AT_MOST for key_id in ids):
            raise KeyInvalid(f"A key of {purpose} in {source} has no id from 1 to {KEY_ID_AT_MOST}.")
        if len(set(ids)) < len(ids):
            raise KeyInvalid(f"Two keys of {purpose} in {source} have one id.")
        for entry in entries:
            key = decode_key(purpose, entry.get("key"))
            if key in seen:
                raise KeyInvalid(f"A key of {purpose} in {source} stands there twice; each purpose needs its own.")
            seen.add(key)


def decode_key(purpose: str, text: object) -> bytes:
    """Return the bytes of a key in base64, or raise KeyInvalid."""
    try:
        key = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyInvalid(f"A key of {purpose} is not {KEY_BYTES} bytes in base64.")
    return key


def generate_keys() -> Keys:
    """Return a new key for each purpose, ready to be written as JSON."""
    return {purpose: [{"id": 1, "key": new_key()}] for purpose in PURPOSES}


def new_key() -> str:
    """Return 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
