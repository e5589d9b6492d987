"""SMS that wait for the worker. Phone and text are sealed; the text is erased once it is sent or given up."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField


class SmsState(models.TextChoices):
    QUEUED = "queued", _("queued")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")  # a newer code replaced it, or its life ended before it could go


# No pause and no lease is longer: what would wait longer was put off by a clock that has stepped back since.
WAITS_AT_MOST = timedelta(minutes=2)


class SmsQuerySet(EncryptedQuerySet["SmsMessage"]):  # type: ignore[override]
    def queued(self) -> Self:
        return self.filter(state=SmsState.QUEUED)

    def of_challenge(self, challenge_id: UUID) -> Self:
        return self.filter(challenge_id=challenge_id)

    def due(self, now: datetime) -> Self:
        """Messages that may be sent now and that nobody is sending."""
        stepped_back = now + WAITS_AT_MOST
        free = Q(leased_until=None) | Q(leased_until__lte=now) | Q(leased_until__gt=stepped_back)
        return self.queued().filter(free, Q(due_at__lte=now) | Q(due_at__gt=stepped_back), useless_at__gt=now)

    def useless(self, now: datetime) -> Self:
        """Messages whose code died before a gateway took them."""
        return self.queued().filter(useless_at__lte=now)

    def undelivered_since(self, sent_after: datetime) -> Self:
        """Messages that a gateway took over and has not yet told the end of."""
        return self.filter(state=SmsState.SENT, settled_at__gt=sent_after).exclude(gateway_id="")


class SmsMessage(EncryptedModel):
    """One message for one phone; its id goes to the gateway as the idempotency key."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    phone = EncryptedTextField(max_length=15)
    text = EncryptedTextField(max_length=500, null=True)
    challenge_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)  # of the person who asked, for the gateway's fraud protection
    state = models.CharField(_("state"), max_length=10, choices=SmsState, default=SmsState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)  # of the next try, and once it is sent of the next look
    useless_at = models.DateTimeField()  # when the code inside dies
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    gateway_id = models.CharField(max_length=50, blank=True)
    gateway_status = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    objects = SmsQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        verbose_name = _("SMS")
        verbose_name_plural = _("SMS")
        indexes = [
            models.Index("due_at", name="sms_due", condition=Q(state="queued")),
            models.Index("challenge_id", name="sms_of_challenge", condition=Q(state="queued")),
            models.Index("settled_at", name="sms_undelivered", condition=Q(state="sent")),
            models.Index(fields=["-created_at"], name="sms_newest"),
        ]

    def __str__(self) -> str:
        return f"SMS {self.pk}"
