"""What agents may prove themselves with beside the code of an SMS: an authenticator app, and codes for its loss."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.base import new_id
from accounts.models.people import User
from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField, KeyedField


class AgentTotpQuerySet(EncryptedQuerySet["AgentTotp"]):  # type: ignore[override]
    def of(self, user_id: UUID) -> Self:
        return self.filter(user_id=user_id)

    def confirmed(self) -> Self:
        """Authenticators that have shown a right code once: only these are asked for."""
        return self.filter(confirmed_at__isnull=False)

    def pending(self) -> Self:
        return self.filter(confirmed_at=None)


class AgentTotp(EncryptedModel):
    """The secret that an agent shares with an authenticator app (RFC 6238)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(User, models.CASCADE, related_name="agent_totp")
    secret = EncryptedTextField(max_length=64)  # base32, as the app reads it
    last_step = models.BigIntegerField(default=-1)  # the newest that opened something: never again
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)  # None: the secret was shown, and no app has proved to have it

    objects = AgentTotpQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        constraints = [models.CheckConstraint(name="agent_totp_step_is_known", condition=Q(last_step__gte=-1))]

    def __str__(self) -> str:
        return f"authenticator of {self.user_id}"


class AgentBackupCode(models.Model):
    """One of ten codes that stand for the authenticator once each. Only its keyed digest is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="agent_backup_codes")
    digest = KeyedField(
        max_length=33,
        purpose="codes",
        stays="back-up codes of agents stand until they make new ones: More → Login and protection",
    )
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint("user", "digest", name="agent_backup_code_once")]

    def __str__(self) -> str:
        return f"back-up code of {self.user_id}"


class PendingLoginQuerySet(models.QuerySet["PendingLogin"]):
    def of_token(self, token_hash: bytes) -> Self:
        return self.filter(token_hash=token_hash)

    def open(self, now: datetime) -> Self:
        return self.filter(used_at=None, expires_at__gt=now)


class PendingLogin(models.Model):
    """A login whose phone is proved and whose second factor is still to come."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    token_hash = models.BinaryField(max_length=32, unique=True)  # SHA-256 of the cookie's 128 random bits
    user = models.ForeignKey(User, models.CASCADE, related_name="pending_logins")
    device_id = models.UUIDField()  # of the device cookie that the browser gets
    is_own_device = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = PendingLoginQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("expires_at", name="pending_login_sweep")]
        constraints = [
            models.CheckConstraint(name="pending_login_attempts_within_tries", condition=Q(attempts__lte=5)),
        ]

    def __str__(self) -> str:
        return f"pending login {self.pk}"


class PasskeyQuerySet(EncryptedQuerySet["Passkey"]):  # type: ignore[override]
    def of(self, user_id: UUID) -> Self:
        return self.filter(user_id=user_id)

    def of_credential(self, credential_id: bytes) -> Self:
        return self.filter(credential_id=credential_id)


class Passkey(EncryptedModel):
    """A key pair of a person's device or password manager (WebAuthn); here stands its public half."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="passkeys")
    name = EncryptedTextField(max_length=100)
    credential_id = models.BinaryField(max_length=1023, unique=True)
    credential = models.BinaryField(max_length=4096)  # the authenticator's model, the id, and the public key in COSE
    sign_count = models.BigIntegerField(default=0)  # of the last use; one that goes back tells of a copy
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    objects = PasskeyQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        indexes = [models.Index("user", "id", name="passkey_of_user")]

    def __str__(self) -> str:
        return f"passkey {self.pk}"


class PasskeyUse(models.TextChoices):
    ADD = "add"
    LOGIN = "login"
    STEP_UP = "step_up"


class PasskeyChallenge(models.Model):
    """Random bytes that a passkey is to sign once, for one use; for a login nobody is known yet."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    challenge_hash = models.BinaryField(max_length=32, unique=True)
    use = models.CharField(max_length=10, choices=PasskeyUse)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="passkey_challenges")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index("expires_at", name="passkey_challenge_sweep")]

    def __str__(self) -> str:
        return f"passkey challenge {self.pk}"
