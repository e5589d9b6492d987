"""Sessions that can be seen and ended. The table keeps a SHA-256 of the cookie's id, never the id."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from accounts.models.people import User
from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField

SEEN_EVERY = timedelta(minutes=1)  # security.md 2.1: last seen is written at most once a minute


class SessionQuerySet(EncryptedQuerySet["Session"]):  # type: ignore[override]
    def live(self, now: datetime) -> Self:
        """Sessions that neither idled out nor lived out nor were ended."""
        return self.filter(ended_at=None, idle_until__gt=now, expires_at__gt=now)

    def over(self, before: datetime) -> Self:
        """Sessions that came to any of their ends before a moment."""
        return self.filter(Q(ended_at__lt=before) | Q(expires_at__lt=before) | Q(idle_until__lt=before))

    def of(self, user_id: UUID) -> Self:
        return self.filter(user_id=user_id)


class Session(EncryptedModel):
    """One browser of one person, in the cabinet (agents) or in the admin (staff)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key_hash = models.BinaryField(max_length=32, unique=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    is_own_device = models.BooleanField(default=False)
    data = EncryptedTextField(max_length=65_536, default="")  # JSON: messages for the next page
    browser = models.CharField(max_length=200, blank=True)  # the User-Agent header, cut
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)  # written at most once a minute, with idle_until
    idle_until = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)  # when a fresh code last proved the person: see `step_up`
    ended_at = models.DateTimeField(null=True)  # kept a day: a form posted into it is kept for its person

    objects = SessionQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        indexes = [
            models.Index(fields=["user", "-seen_at"], name="session_user_devices"),
            models.Index("idle_until", name="session_sweep_idle"),
            models.Index("expires_at", name="session_sweep_expired"),
            models.Index("ended_at", name="session_sweep_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"session {self.pk}"

    @property
    def idle_for(self) -> timedelta:
        """How long the session lives without being used."""
        if self.user.is_staff:
            return settings.STAFF_IDLE
        return settings.OWN_DEVICE_IDLE if self.is_own_device else settings.AGENT_IDLE

    @property
    def lives_for(self) -> timedelta:
        """How long the session lives at most."""
        if self.user.is_staff:
            return settings.STAFF_LIFE
        return settings.OWN_DEVICE_LIFE if self.is_own_device else settings.AGENT_LIFE

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and self.idle_until > now and self.expires_at > now and self.user.is_active

    def is_seen_again(self, now: datetime) -> bool:
        """Return whether `seen_at` is old enough to be written anew."""
        return not timedelta(0) <= now - self.seen_at < SEEN_EVERY
