"""What was sent once must not happen twice, and what was typed must not be lost."""

from django.db import models
from django.utils import timezone

from accounts.models.base import new_id
from accounts.models.people import User
from lk_site.encryption import EncryptedModel, EncryptedTextField, KeyedField

FOR_A_DAY = "idempotency keys are deleted after 24 hours"


class IdempotencyKey(EncryptedModel):
    """The answer that a key of one actor for one operation got. Written in the transaction of the effect."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    actor_id = models.UUIDField(db_column="user_id")  # a person or a program
    scope = models.CharField(max_length=100)  # method and route
    key_digest = KeyedField(max_length=33, purpose="digests", stays=FOR_A_DAY)
    request_digest = KeyedField(max_length=33, purpose="digests", stays=FOR_A_DAY)
    status = models.PositiveSmallIntegerField(null=True)  # None while the first one runs
    body = EncryptedTextField(max_length=262_144, null=True)
    headers = models.JSONField(default=dict)
    object_type = models.CharField(max_length=20, blank=True)
    object_id = models.UUIDField(null=True)  # a replay is given only to who may still see it
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint("actor_id", "scope", "key_digest", name="idempotency_key_once")]
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
