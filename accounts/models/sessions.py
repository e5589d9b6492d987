"""Sessions that can be seen and ended. The table keeps a SHA-256 of the cookie's id, never the id."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from accounts.models.people import User


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self, now: datetime) -> Self:
        """Sessions that neither idled out nor lived out nor were ended."""
        return self.filter(ended_at=None, idle_until__gt=now, expires_at__gt=now)

    def of(self, user: User) -> Self:
        return self.filter(user=user)


class Session(models.Model):
    """One browser of one person, in the cabinet (agents) or in the admin (staff)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key_hash = models.BinaryField(max_length=32, unique=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    is_own_device = models.BooleanField(default=False)
    data = models.TextField(default="{}")  # JSON, never personal data
    browser = models.CharField(max_length=200, blank=True)  # the User-Agent header, cut
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)  # written at most once a minute, with idle_until
    idle_until = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)  # an ended row is kept a day: a form posted into it is kept for its person

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        indexes = [
            models.Index("user", "-seen_at", name="session_user_devices"),
            models.Index("expires_at", name="session_sweep_expired"),
            models.Index("ended_at", name="session_sweep_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"session {self.pk}"

    def idles_out_at(self, now: datetime) -> datetime:
        """Return when the session ends if nothing more is asked of it after `now`."""
        if self.user.is_staff:
            return now + settings.STAFF_IDLE
        return now + (settings.OWN_DEVICE_IDLE if self.is_own_device else settings.AGENT_IDLE)
