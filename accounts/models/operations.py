"""Long work that a program asked for and does not wait for: what was asked is sealed, and erased once it is done."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models.base import new_id
from accounts.models.people import Agency
from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField

if TYPE_CHECKING:
    from accounts.actor import Actor


class OperationState(models.TextChoices):
    QUEUED = "queued", pgettext_lazy("operation", "queued")
    RUNNING = "running", pgettext_lazy("operation", "running")
    DONE = "done", pgettext_lazy("operation", "done")
    FAILED = "failed", pgettext_lazy("operation", "failed")


OPEN = (OperationState.QUEUED, OperationState.RUNNING)


class OperationQuerySet(EncryptedQuerySet["Operation"]):  # type: ignore[override]
    def visible_to(self, actor: "Actor") -> Self:
        """Operations that this person or this program asked for: nobody else sees them, not even the head."""
        return self.filter(agency_id=actor.agency_id, actor_id=actor.id)

    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def due(self, now: datetime) -> Self:
        """Operations that nobody is running: new ones, and those whose worker did not come back."""
        return self.open().filter(Q(leased_until=None) | Q(leased_until__lte=now), due_at__lte=now)


class Operation(EncryptedModel):
    """One request that is carried out later, as whoever asked it. Its result is written with its effect."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", db_index=False)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.UUIDField()  # a person or a program
    name = models.CharField(max_length=50)  # `deals.bulk`
    request = EncryptedTextField(max_length=262_144, null=True)  # the body as it came
    language = models.CharField(max_length=5, blank=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=OperationState, default=OperationState.QUEUED)
    result = EncryptedTextField(max_length=262_144, null=True)  # JSON: the answer, or the problem document of a failure
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    objects = OperationQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        indexes = [
            models.Index("due_at", name="operation_due", condition=Q(state__in=["queued", "running"])),
            models.Index("actor_id", name="operation_open", condition=Q(state__in=["queued", "running"])),
            models.Index("created_at", name="operation_sweep"),
        ]

    def __str__(self) -> str:
        return f"operation {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN
