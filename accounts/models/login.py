"""Challenges of the login by code, and the exact counters that limit it."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField, KeyedField

CHALLENGE_PHONE = "challenge.phone"  # what the index of a challenge's phone is bound to


class Purpose(models.TextChoices):
    LOGIN = "login", _("login")
    STEP_UP = "step_up", _("confirmation")


class ChallengeQuerySet(EncryptedQuerySet["Challenge"]):  # type: ignore[override]
    def of_token(self, token_hash: bytes) -> Self:
        return self.filter(token_hash=token_hash)

    def open(self, now: datetime) -> Self:
        """Challenges whose code can still open something."""
        return self.filter(used_at=None, expires_at__gt=now, code_digest__isnull=False)

    def of_subject(self, phone_indexes: list[bytes], device_id: UUID | None) -> Self:
        """Challenges of a browser that knows the phone, or those of all other browsers for it."""
        return (
            self.filter(device_id=device_id)
            if device_id
            else self.filter(phone_index__in=phone_indexes, device_id=None)
        )


class Challenge(EncryptedModel):
    """One browser's attempt to prove one phone. It always exists after a request, whether or not a code was sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    token_hash = models.BinaryField(max_length=32, unique=True)  # SHA-256 of the cookie's 128 random bits
    phone = EncryptedTextField(max_length=15)
    phone_index = KeyedField(max_length=33, purpose="agent_index", parts=lambda row: (CHALLENGE_PHONE, row.phone))
    purpose = models.CharField(max_length=20, choices=Purpose, default=Purpose.LOGIN)
    device_id = models.UUIDField(null=True)  # of the device cookie, if it knows this phone
    code_digest = KeyedField(  # None: nothing was sent, nothing opens it
        max_length=33, null=True, purpose="codes", stays="digests of codes are deleted after 24 hours"
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    sends = models.PositiveSmallIntegerField(default=0)
    resend_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = ChallengeQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        indexes = [
            models.Index("phone_index", "expires_at", name="challenge_open_of_phone"),
            models.Index(
                "device_id", "expires_at", name="challenge_open_of_device", condition=Q(device_id__isnull=False)
            ),
            models.Index("expires_at", name="challenge_sweep"),
        ]
        constraints = [
            models.CheckConstraint(name="challenge_attempts_within_tries", condition=Q(attempts__lte=5)),
        ]

    def __str__(self) -> str:
        return f"challenge {self.pk}"


class Counter(models.Model):
    """How often something named happened to a key (a digest, never the phone itself) in the window that runs."""

    key = KeyedField(  # digest of the name and what is counted
        primary_key=True, max_length=33, purpose="digests", stays="counters are deleted within two days"
    )
    name = models.CharField(max_length=50)
    count = models.PositiveIntegerField(default=0)
    window_ends_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True)
    level = models.PositiveSmallIntegerField(default=0)  # how often in a row the block was laid; each lasts longer

    class Meta:
        indexes = [models.Index("window_ends_at", name="counter_sweep")]

    def __str__(self) -> str:
        return f"counter {self.name}"
