"""What was sent once must not happen twice, and what was typed must not be lost."""

from django.db import models
from django.utils import timezone

from accounts.models.base import new_id
from accounts.models.people import User
from lk_site.encryption import EncryptedModel, EncryptedTextField


class IdempotencyKey(EncryptedModel):
    """The answer that a key of one person for one operation got. Written in the transaction of the effect."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    scope = models.CharField(max_length=100)  # method and route
    key_digest = models.BinaryField(max_length=33)
    request_digest = models.BinaryField(max_length=33)
    status = models.PositiveSmallIntegerField(null=True)  # None while the first one runs
    body = EncryptedTextField(max_length=262_144, null=True)
    headers = models.JSONField(default=dict)
    object_type = models.CharField(max_length=20, blank=True)
    object_id = models.UUIDField(null=True)  # a replay is given only to who may still see it
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("user", "scope", "key_digest", name="idempotency_key_once")]
        indexes = [models.Index("created_at", name="idempotency_sweep")]

    def __str__(self) -> str:
        return f"idempotency key {self.pk}"


class KeptForm(EncryptedModel):
    """A form that was posted into an ended session: kept for its person and browser, an hour, never sent by itself."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    token_hash = models.BinaryField(max_length=32)  # SHA-256 of the browser's cookie
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    path = models.CharField(max_length=300)  # where it was posted to
    page = models.CharField(max_length=300)  # where it stood: the same, or the page that holds a form of an action
    body = EncryptedTextField(max_length=1_048_576)  # JSON: name -> list of values
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("token_hash", "path", name="kept_form_of_browser_once")]
        indexes = [models.Index("created_at", name="kept_form_sweep")]

    def __str__(self) -> str:
        return f"kept form {self.pk}"
