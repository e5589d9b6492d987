"""Sealing a text to its row, and the cell in which a row carries it.

A token is version, key id, nonce and AES-256-GCM ciphertext. The column (`label`) and the row's key are associated
data: a token that is moved to another column or row does not open. The empty text is an empty token; its length
would tell as much.
"""

import os
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.utils.translation import gettext_lazy as _

from lk_site.encryption.keys import KeyMissing, ring
from lk_site.errors import Clash

VERSION = 1
NONCE_BYTES = 12
HEAD_BYTES = 2 + NONCE_BYTES
UNREADABLE = _("unavailable")

RowKey = UUID | int | str


class CannotOpen(Exception):
    """A token does not open: altered, moved from another row or column, or sealed with a key that is not here."""


class ValueUnreadable(Clash):
    """A value that cannot be read must not be overwritten."""

    code = "value_unreadable"
    sentence = _("This value cannot be read now, so it cannot be changed. Tell support.")


class Unreadable(str):
    """What a reader sees in place of a text that does not open: «unavailable» in his language. Never written."""

    __slots__ = ()


class Unset:
    """Says that a cell has not been opened yet."""

    __slots__ = ()


UNSET = Unset()


def bound_to(label: bytes, key: RowKey, key_id: int) -> bytes:
    """Return the associated data that ties a token to its version, key, column and row; lengths make it unambiguous."""
    return column_of(label, key_id) + (key.bytes if isinstance(key, UUID) else str(key).encode())


@cache
def column_of(label: bytes, key_id: int) -> bytes:
    return b"%c%c%c%b" % (VERSION, key_id, len(label), label)


def seal(text: str, label: bytes, key: RowKey, *, ring_of: str = "fields", key_id: int | None = None) -> bytes:
    """Return the token of a text for one column of one row, under the active key unless an id is given."""
    if not text:
        return b""
    keys = ring(ring_of)
    key_id = keys.active_id if key_id is None else key_id
    nonce = os.urandom(NONCE_BYTES)
    sealed = keys.cipher(key_id, label).encrypt(nonce, text.encode(), bound_to(label, key, key_id))
    return b"%c%c%b%b" % (VERSION, key_id, nonce, sealed)


def unseal(token: bytes, label: bytes, key: RowKey, *, ring_of: str = "fields") -> str:
    """Return the text of a token, or raise CannotOpen, which never tells any of it."""
    if not token:
        return ""
    try:
        if token[0] != VERSION:
            raise CannotOpen("unknown version")
        key_id = token[1]
        cipher = ring(ring_of).cipher(key_id, label)
        return cipher.decrypt(token[2:HEAD_BYTES], token[HEAD_BYTES:], bound_to(label, key, key_id)).decode()
    except (KeyMissing, IndexError, InvalidTag, ValueError) as error:
        raise CannotOpen(type(error).__name__) from None


class Cell:
    """What a row carries: a token, or a text not sealed yet. It shows nothing, and refuses to be compared.

    `key` is the key of the row that the token was sealed for, None while it has not been told. `prior` is the cell that
    a new text stands in for. A cell changes in nothing but this cache.
    """

    __slots__ = ("key", "plain", "prior", "raw", "token")
    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __init__(
        self,
        token: bytes | None,
        plain: str | Unset | None = UNSET,
        *,
        prior: "Cell | None" = None,
        key: RowKey | None = None,
    ) -> None:
        self.token = token
        self.plain = plain
        self.prior = prior
        self.key = key
        self.raw = False  # True while a fixture is loaded: Django then asks the attribute for what to write

    def __repr__(self) -> str:
        return "<sealed>"

    def __eq__(self, other: object) -> bool:
        raise TypeError("sealed values are not compared")

    def __bool__(self) -> bool:
        raise TypeError("a sealed value has no truth")

    def __iter__(self) -> Any:
        raise TypeError("a sealed value has no parts")

    def __deepcopy__(self, memo: object) -> "Cell":
        return self

    def __copy__(self) -> "Cell":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.token is None:
            raise TypeError("clear text is not pickled")
        return thawed, (self.token, self.key)

    def open(self, label: bytes, key: RowKey) -> str:
        """Return the text of the token as the row it was sealed for, or else as that of `key`; raises CannotOpen."""
        if self.token is None:
            raise CannotOpen("not sealed")
        return unseal(self.token, label, key if self.key is None else self.key)


def thawed(token: bytes, key: RowKey | None) -> Cell:
    """Return the cell that a pickle holds."""
    return Cell(token, key=key)
