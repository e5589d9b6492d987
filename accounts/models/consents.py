"""Which text a person agreed to, and when."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from accounts.models.people import User


class Consent(models.Model):
    """A consent given: the document's version and the hash of the very text that was shown. Never changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="consents")
    document = models.CharField(max_length=30)
    version = models.CharField(max_length=20)
    language = models.CharField(max_length=5)
    text_hash = models.CharField(max_length=64)  # SHA-256 of the text, hexadecimal
    address = models.GenericIPAddressField(null=True)
    given_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [models.UniqueConstraint("user", "document", "version", name="consent_given_once")]

    def __str__(self) -> str:
        return f"consent {self.document} {self.version}"
