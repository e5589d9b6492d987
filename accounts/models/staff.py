"""What staff prove themselves with beside the password: an authenticator app, and back-up codes for when it is lost."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from accounts.models.people import User
from lk_site.encryption import EncryptedModel, EncryptedTextField, KeyedField


class StaffTotp(EncryptedModel):
    """The secret that a member of staff shares with an authenticator app (RFC 6238)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(User, models.CASCADE, related_name="totp")
    secret = EncryptedTextField(max_length=64)  # base32, as the app reads it
    last_step = models.BigIntegerField(default=-1)  # the newest that opened something: never again
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")
        constraints = [models.CheckConstraint(name="staff_totp_step_is_known", condition=Q(last_step__gte=-1))]

    def __str__(self) -> str:
        return f"authenticator of {self.user_id}"


class StaffBackupCode(models.Model):
    """One of ten codes that open the admin once each. Only its keyed digest is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="backup_codes")
    digest = KeyedField(
        max_length=33,
        purpose="codes",
        stays="back-up codes of staff stand until they get new ones: manage.py staff reset-totp LOGIN",
    )
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("back-up code")
        verbose_name_plural = _("back-up codes")
        constraints = [models.UniqueConstraint("user", "digest", name="staff_backup_code_once")]

    def __str__(self) -> str:
        return f"back-up code of {self.user_id}"
