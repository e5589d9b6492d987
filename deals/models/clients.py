"""Clients: the people whom agents work for. Personal data, sealed; each client belongs to one agent."""

from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency, User
from accounts.models.base import VersionedModel, new_id
from lk_site.encryption import EncryptedModel, EncryptedQuerySet, EncryptedTextField

if TYPE_CHECKING:
    from accounts.actor import Actor

PHONES_AT_MOST = 5


class ClientQuerySet(EncryptedQuerySet["Client"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Clients of the actor, or of the whole agency for its head; trashed ones only through `trashed()`."""
        return self.of_actor(actor).filter(deleted_at=None)

    def trashed_visible_to(self, actor: "Actor") -> Self:
        return self.of_actor(actor).filter(deleted_at__isnull=False)

    def of_actor(self, actor: "Actor") -> Self:
        in_agency = self.filter(agency_id=actor.agency_id)
        return in_agency if actor.is_head else in_agency.filter(agent_id=actor.user_id)

    def newest_deal_first(self) -> Self:
        return self.order_by("-newest_deal_at", "-id")

    def lock(self, pk: UUID) -> "Client":
        return self.select_for_update(of=("self",)).get(pk=pk)


class Client(VersionedModel):
    """The person an agent works for."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"))
    agent = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("agent"))
    name = EncryptedTextField(_("name"), max_length=200, null=True)
    email = EncryptedTextField(_("e-mail"), max_length=254, null=True)
    notes = EncryptedTextField(_("notes"), max_length=5000, null=True)
    newest_deal_at = models.DateTimeField(default=timezone.now)  # lists are ordered by it, never by a name
    deleted_at = models.DateTimeField(null=True)

    objects = ClientQuerySet.as_manager()

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        indexes = [
            models.Index("agent", F("newest_deal_at").desc(), F("id").desc(), name="client_list_of_agent"),
            models.Index("agency", F("newest_deal_at").desc(), F("id").desc(), name="client_list_of_agency"),
            models.Index("deleted_at", name="client_sweep_trash", condition=Q(deleted_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"client {self.pk}"


class ClientPhone(EncryptedModel):
    """One number of a client; the first is the main one. Unique per agent among clients that are not in the trash."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client = models.ForeignKey(Client, models.CASCADE, related_name="phones")
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+")
    agent = models.ForeignKey(User, models.PROTECT, related_name="+")  # as the client's
    position = models.PositiveSmallIntegerField(default=0)
    phone = EncryptedTextField(max_length=15)
    phone_index = models.BinaryField(max_length=33)
    is_live = models.BooleanField(default=True)  # False while the client is in the trash

    objects = EncryptedQuerySet["ClientPhone"].as_manager()

    class Meta:
        verbose_name = _("client's phone")
        verbose_name_plural = _("clients' phones")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint("client", "position", name="client_phone_position"),
            models.UniqueConstraint("agent", "phone_index", name="client_phone_of_agent_once", condition=Q(is_live=True)),
        ]
        indexes = [models.Index("agency", "phone_index", name="client_phone_search")]

    def __str__(self) -> str:
        return f"phone {self.position} of client {self.client_id}"


class ClientToken(models.Model):
    """A short keyed hash of a name's beginning or of a number's last four digits; candidates are checked after opening."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+")
    token = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint("agency", "token", "client", name="client_token_search")]
        indexes = [models.Index("client", name="client_token_of_client")]

    def __str__(self) -> str:
        return f"token of client {self.client_id}"


class Look(models.Model):
    """That a person saw a client's number in an hour: the second look in the same hour is not counted again."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    hour = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("user", "client", "hour", name="look_once_an_hour")]
        indexes = [models.Index("hour", name="look_sweep")]

    def __str__(self) -> str:
        return f"look at client {self.client_id}"
