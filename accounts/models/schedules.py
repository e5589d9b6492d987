"""Chores that workers do again and again: when each is due, who is at it, and what came of it."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Schedule(models.Model):
    """One chore of all workers together. Its row is a lease: whoever holds it does the chore."""

    name = models.CharField(_("chore"), primary_key=True, max_length=30)
    due_at = models.DateTimeField(default=timezone.now)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    failure = models.CharField(_("reason"), max_length=100, blank=True)  # what was raised, by its class alone

    class Meta:
        verbose_name = _("chore")
        verbose_name_plural = _("jobs")

    def __str__(self) -> str:
        return self.name

    def is_due(self, now: datetime, every: timedelta, lease: timedelta) -> bool:
        """Whether a worker may begin. A time further ahead than any that is ever set is of a clock that was wrong."""
        is_waiting = now < self.due_at <= now + every
        is_held = self.leased_until is not None and now < self.leased_until <= now + lease
        return not (is_waiting or is_held)

    def is_held(self, now: datetime) -> bool:
        """Whether a worker is at it."""
        return self.leased_until is not None and self.leased_until > now

    @property
    def has_failed(self) -> bool:
        """Whether its last time was a failure."""
        return bool(self.failure)
