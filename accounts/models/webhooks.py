"""Webhooks: where an agency's events are sent, what is sent, and what came of each try."""

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import VersionedModel, new_id
from accounts.models.evidence import FEED_ACTIONS, AgencyHead
from accounts.models.people import Agency
from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField

if TYPE_CHECKING:
    from accounts.actor import Actor

TEST_TYPE = "webhook.test"  # of an event that never happened
URL_LENGTH = 2000  # characters of an address with everything in it quoted
BODY_LENGTH = 4096  # characters that are kept of an answer


class WebhookOff(models.TextChoices):
    """Why nothing is sent."""

    PERSON = "person", _("switched off by hand")
    FAILING = "failing", _("every try of a delivery failed")
    GONE = "gone", _("the receiver answered 410 Gone")


class WebhookState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    DONE = "done", _("delivered")
    FAILED = "failed", _("not delivered")


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def visible_to(self, actor: "Actor") -> Self:
        return self.filter(endpoint__in=WebhookEndpoint.objects.visible_to(actor))

    def due(self, now: datetime) -> Self:
        """Deliveries whose time has come and that nobody is sending."""
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.filter(free, state=WebhookState.WAITING, due_at__lte=now)

    def leased(self, now: datetime) -> Self:
        """Deliveries that a worker is sending."""
        return self.filter(state=WebhookState.WAITING, leased_until__gt=now)

    def tests(self) -> Self:
        return self.filter(type=TEST_TYPE)

    def real(self) -> Self:
        """Deliveries of what happened."""
        return self.exclude(type=TEST_TYPE)


class WebhookEndpointQuerySet(EncryptedQuerySet["WebhookEndpoint"]):  # type: ignore[override]
    def visible_to(self, actor: "Actor") -> Self:
        """Endpoints of the agency, for its head and its keys; others see none."""
        return self.there().filter(agency_id=actor.agency_id) if actor.is_head else self.none()

    def there(self) -> Self:
        """Endpoints that nobody has removed."""
        return self.filter(removed_at=None)

    def on(self) -> Self:
        return self.there().filter(is_on=True)

    def off_by_itself(self) -> Self:
        """Endpoints that LK has switched off, and that nobody has looked after since."""
        return self.there().filter(is_on=False).exclude(off_why=WebhookOff.PERSON)

    def failing(self) -> Self:
        """Endpoints whose last try failed, those included that LK has switched off for it."""
        return self.there().exclude(failing_since=None).exclude(off_why=WebhookOff.PERSON)

    def with_news(self) -> Self:
        """Endpoints whose agency has events that they have not followed yet."""
        newer = AgencyHead.objects.filter(agency_id=OuterRef("agency_id"), seq__gt=OuterRef("followed_seq"))
        return self.filter(Exists(newer))

    def with_due(self, now: datetime) -> Self:
        """Endpoints that something may be sent to now; to one that is off only tests are."""
        due = WebhookDelivery.objects.due(now).filter(endpoint=OuterRef("pk"))
        return self.there().filter(Q(Exists(due), is_on=True) | Q(Exists(due.tests())))

    def lock(self, pk: UUID) -> "WebhookEndpoint":
        """Lock an endpoint, but not its key: see `UserQuerySet.lock`."""
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)


class WebhookEndpoint(VersionedModel):
    """An address that follows the events of an agency. It may hold a secret, so it is sealed and never logged."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", db_index=False)
    url = EncryptedTextField(max_length=URL_LENGTH)
    description = EncryptedTextField(max_length=200)
    types = models.JSONField(default=list)  # of events, as their actions are called; none means all
    secret = EncryptedTextField(max_length=50)
    previous_secret = EncryptedTextField(max_length=50, null=True)  # signs beside the new one after a rotation …
    previous_until = models.DateTimeField(null=True)  # … until then
    made_by = models.UUIDField()  # a person or a key
    is_on = models.BooleanField(default=True)
    off_why = models.CharField(max_length=10, choices=WebhookOff, blank=True)
    switched_off_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)  # of the first try that failed since one succeeded
    followed_seq = models.BigIntegerField()  # the last event of the agency that deliveries were made of
    removed_at = models.DateTimeField(null=True)

    objects = WebhookEndpointQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints = [
            models.CheckConstraint(
                name="webhook_endpoint_off_has_reason",
                condition=Q(is_on=True, off_why="", switched_off_at=None)
                | Q(is_on=False, switched_off_at__isnull=False) & ~Q(off_why=""),
            )
        ]
        indexes = [models.Index("agency", "id", name="webhook_endpoint_of_agency")]

    def __str__(self) -> str:
        return f"webhook {self.pk}"

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None

    def wants(self, action: str) -> bool:
        return action in (self.types or FEED_ACTIONS)

    def due(self, now: datetime) -> WebhookDeliveryQuerySet:
        """Return the deliveries that may be sent now: none but tests while the endpoint is off."""
        due = WebhookDelivery.objects.filter(endpoint=self).due(now)
        return due if self.is_on else due.tests()

    def secrets(self, now: datetime) -> list[str]:
        """Return what signs now, the newest first."""
        if self.previous_secret and self.previous_until and now < self.previous_until:
            return [self.secret, self.previous_secret]
        return [self.secret]


class WebhookDelivery(models.Model):
    """One event for one endpoint: sent until it arrives, always under the same id."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries", db_index=False)
    event_id = models.UUIDField()
    type = models.CharField(max_length=30)
    payload = models.TextField()  # the very bytes that are signed: ids, codes and names of fields, no personal data
    state = models.CharField(max_length=10, choices=WebhookState, default=WebhookState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)  # since it was made, or replayed
    due_at = models.DateTimeField(default=timezone.now)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    last_code = models.PositiveSmallIntegerField(null=True)  # of the last try: the status it was answered with, …
    last_error = models.CharField(max_length=20, blank=True)  # … or why there was no answer
    last_latency_ms = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_delivery_once")]
        indexes = [
            models.Index("endpoint", "due_at", name="webhook_delivery_due", condition=Q(state="waiting")),
            models.Index("endpoint", name="webhook_delivery_test", condition=Q(state="waiting", type=TEST_TYPE)),
            models.Index("endpoint", models.F("id").desc(), name="webhook_delivery_newest"),
            models.Index("created_at", name="webhook_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"

    @property
    def message_id(self) -> str:
        """Return what a receiver tells deliveries apart by: the same over retries and replays."""
        return f"msg_{self.event_id.hex}"

    @property
    def is_test(self) -> bool:
        return self.type == TEST_TYPE


class WebhookAttempt(EncryptedModel):
    """One try of a delivery: the status and the beginning of the answer, or why there was none."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="tries", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=20, blank=True)
    latency_ms = models.PositiveIntegerField()
    body = EncryptedTextField(max_length=BODY_LENGTH, blank=True)

    class Meta:
        indexes = [models.Index("delivery", "id", name="webhook_attempt_of_delivery")]

    def __str__(self) -> str:
        return f"attempt {self.pk}"
