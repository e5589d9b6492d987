"""What rows of LK have in common: an id made by the application, and a version where people edit them."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone
from uuid6 import uuid7

from lk_site.encryption import EncryptedModel
from lk_site.errors import Stale, VersionRequired


def new_id() -> UUID:
    """Return a UUID of version 7: ids sort by the time they were made."""
    return UUID(bytes=uuid7().bytes)


def hash_of(token: str) -> bytes:
    """Return what tables keep of a cookie's random value: SHA-256, which needs no salt where nothing can be guessed."""
    return sha256(token.encode()).digest()


class VersionedModel(EncryptedModel):
    """A row that people edit: each change raises its version by one."""

    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True

    changed_fields: tuple[str, ...] = ()  # saved and not yet told by an event

    def require_version(self, version: int | None) -> None:
        """Refuse a change that was made from another version than the row has now.

        Raises VersionRequired without a version, and Stale with the names of the fields that changed since.
        """
        if version is None:
            raise VersionRequired
        if version != self.version:
            from accounts.models.evidence import Event

            raise Stale(self.version, Event.objects.changed_fields_since(self.pk, version))

    def save_changes(self, *names: str, **kwargs: Any) -> None:
        """Save the named fields and a version raised by one."""
        self.version += 1
        self.updated_at = timezone.now()
        self.save(update_fields=[*names, "version", "updated_at"], **kwargs)
        self.changed_fields = (*self.changed_fields, *names)
