"""Keys of programs. A key belongs to an agency, not to a person who may leave; of its secrets only hashes are kept."""

from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import new_id
from accounts.models.people import Agency

if TYPE_CHECKING:
    from accounts.actor import Actor


TOKEN_PREFIX = "lk_live_"  # nosec B105 what tokens begin with


class Scope(models.TextChoices):
    """What a key may do. Without a scope it may do nothing; writing does not include reading."""

    DEALS_READ = "deals:read", _("see deals")
    DEALS_WRITE = "deals:write", _("create and change deals")
    CLIENTS_READ = "clients:read", _("see clients")
    CLIENTS_WRITE = "clients:write", _("create and change clients")
    CLIENTS_REVEAL = "clients:reveal", _("reveal clients' numbers")
    REPORTS_READ = "reports:read", _("read reports")
    WEBHOOKS_MANAGE = "webhooks:manage", _("manage webhooks")


WORK_SCOPES = (Scope.DEALS_READ, Scope.DEALS_WRITE, Scope.CLIENTS_READ, Scope.CLIENTS_WRITE)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Keys of the actor's agency, for its head; a key sees itself."""
        if actor.is_key:
            return self.filter(pk=actor.id)
        return self.filter(agency_id=actor.agency_id) if actor.is_head else self.none()

    def live(self, now: datetime) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=now)


class ApiKey(models.Model):
    """One program of an agency. Its secrets may change; what it did and may do stays with it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"), db_index=False)
    name = models.CharField(_("name"), max_length=100)
    scopes = models.JSONField(_("scopes"), default=list)
    networks = models.JSONField(_("networks"), default=list)  # it may ask from these only; empty: from anywhere
    made_by_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("last used"), null=True)  # written at most once a minute
    used_from = models.GenericIPAddressField(_("last address"), null=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes = [models.Index("agency", "created_at", name="api_key_list_of_agency")]

    def __str__(self) -> str:
        return f"key {self.pk}"

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now

    def may_ask_from(self, address: str | None) -> bool:
        """Return whether the address lies in the key's networks."""
        if not self.networks:
            return True
        return address is not None and any(ip_address(address) in ip_network(network) for network in self.networks)


class KeySecret(models.Model):
    """One secret of a key. Rotation adds another; the one before ends a day later."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="secrets", db_index=False)
    public_id = models.CharField(max_length=10, unique=True)
    token_hash = models.BinaryField(max_length=32)  # SHA-256: nobody guesses 178 random bits
    made_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)  # None: with its key

    class Meta:
        ordering = ["made_at"]
        indexes = [models.Index("key", "made_at", name="key_secret_of_key")]

    def __str__(self) -> str:
        return f"secret {self.public_id}"

    @property
    def shown(self) -> str:
        """How its token begins: what people may see of it."""
        return TOKEN_PREFIX + self.public_id

    def is_live(self, now: datetime) -> bool:
        return self.ends_at is None or self.ends_at > now
