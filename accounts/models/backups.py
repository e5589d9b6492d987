"""The backups that were made of this database, and whether they have proved themselves."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id

LATE_AFTER = timedelta(days=2)  # a nightly backup has then failed twice


class BackupQuerySet(models.QuerySet["Backup"]):
    def newest_first(self) -> Self:
        return self.order_by("-made_at")

    def last_made(self) -> "Backup | None":
        return self.newest_first().first()

    def last_verified(self) -> "Backup | None":
        """Return the one that proved itself last."""
        return self.exclude(verified_at=None).order_by("-verified_at").first()

    def failed_since(self, moment: datetime | None) -> Self:
        """Narrow to those that failed their check after a moment, or ever, the last first."""
        failed = self.exclude(failed_at=None) if moment is None else self.filter(failed_at__gt=moment)
        return failed.order_by("-failed_at")


class Backup(models.Model):
    """One backup, by the name of its folder. A restored database knows only those that were made before it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(_("name"), max_length=40, unique=True)
    made_at = models.DateTimeField(_("made"))  # the moment that it shows
    bytes = models.BigIntegerField(_("bytes"))
    rows = models.BigIntegerField(_("rows"))
    verified_at = models.DateTimeField(_("proved itself"), null=True)
    failed_at = models.DateTimeField(_("failed its check"), null=True)
    failure = models.CharField(_("why"), max_length=300, blank=True)  # a sentence without personal data
    removed_at = models.DateTimeField(_("removed"), null=True)

    objects = BackupQuerySet.as_manager()

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        indexes = [models.Index(F("made_at").desc(), name="backup_newest")]

    def __str__(self) -> str:
        return self.name

    def is_late(self, now: datetime) -> bool:
        return now - self.made_at > LATE_AFTER

    def was_verified_late(self, now: datetime) -> bool:
        return self.verified_at is None or now - self.verified_at > LATE_AFTER
