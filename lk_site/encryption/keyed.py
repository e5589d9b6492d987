"""Columns of keyed indexes and digests: bytes that begin with the id of their key, so that keys can be rotated."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import models

from lk_site.encryption.cells import CannotOpen, Unreadable
from lk_site.encryption.indexes import Part, blind_index

if TYPE_CHECKING:
    BinaryField = models.BinaryField[Any, Any]
else:
    BinaryField = models.BinaryField

Parts = Callable[[Any], tuple[Part | None, ...]]


class KeyedField(BinaryField):
    """A blind index or a keyed digest; to migrations, a BinaryField.

    `purpose` names the ring. `parts` returns what a row's index is made of, so that it can be made anew under another
    key. Where nobody knows that any more, `stays` says how long values under an old key stand: so long stays the key.
    """

    def __init__(self, *args: Any, purpose: str = "", parts: Parts | None = None, stays: str = "", **kwargs: Any):
        self.purpose = purpose
        self.parts = parts
        self.stays = stays
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def index_of(self, row: models.Model, key_id: int) -> bytes:
        """Return a row's index under one key. Raises CannotOpen where a part of it cannot be read."""
        assert self.parts is not None
        parts = [part for part in self.parts(row) if part is not None]
        if any(isinstance(part, Unreadable) for part in parts):
            raise CannotOpen("what it is made of cannot be read")
        return blind_index(self.purpose, *parts, key_id=key_id)
