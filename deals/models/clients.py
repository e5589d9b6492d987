"""Clients: the people whom agents work for. Personal data, sealed; each client belongs to one agent."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.conf import settings
from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency, User
from accounts.models.base import VersionedModel, new_id
from lk_site.encryption import (
    EncryptedModel,
    EncryptedQuerySet,
    EncryptedTextField,
    KeyedField,
    blind_index,
    blind_indexes,
)
from lk_site.formats import mask_phone

if TYPE_CHECKING:
    from accounts.actor import Actor

PHONES_AT_MOST = 5
IN_TRASH = Q(deleted_at__isnull=False)

KEEP_LOOK = """
INSERT INTO {table} (user_id, client_id, hour) VALUES (%s, %s, %s)
ON CONFLICT (user_id, client_id, hour) DO NOTHING RETURNING id
"""
CLIENT_PHONE = "client.phone"  # what the index of a number is bound to, beside the agency


class ClientQuerySet(EncryptedQuerySet["Client"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Clients of the actor, or of the whole agency for its head; trashed ones are nowhere but in the trash."""
        return self.of_actor(actor).filter(deleted_at=None)

    def trashed_visible_to(self, actor: "Actor") -> Self:
        return self.of_actor(actor).filter(deleted_at__isnull=False)

    def of_actor(self, actor: "Actor") -> Self:
        in_agency = self.filter(agency_id=actor.agency_id)
        return in_agency if actor.is_head else in_agency.filter(agent_id=actor.user_id)

    def revealable_to(self, actor: "Actor") -> Self:
        """Clients whose numbers the actor may ask to see: staff, in the admin, those of every agency."""
        return self.filter(deleted_at=None) if actor.is_staff else self.visible_to(actor)

    def whole(self) -> Self:
        """Clients with all that a card shows of them: the agent's name and the numbers."""
        return self.select_related("agent").prefetch_related("phones")

    def lock(self, pk: UUID) -> "Client":
        """Lock one client, and return him with all that a card shows, in two statements as deals' `lock` does.

        Not his key: looks at him, which refer to it, must not wait for a change that will itself count a look.
        """
        self.select_for_update(no_key=True).values_list("pk").get(pk=pk)
        return self.whole().get(pk=pk)

    def outlived(self, now: datetime) -> Self:
        """Clients whose time in the trash is over."""
        return self.filter(deleted_at__lt=now - settings.TRASH_LIFE)


class Client(VersionedModel):
    """The person an agent works for."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"), db_index=False)
    agent = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("agent"), db_index=False)
    name = EncryptedTextField(_("name"), max_length=200, null=True)
    email = EncryptedTextField(_("e-mail"), max_length=254, null=True)
    notes = EncryptedTextField(_("notes"), max_length=5000, null=True)
    newest_deal_at = models.DateTimeField(default=timezone.now)  # lists are ordered by it, never by a name
    deleted_at = models.DateTimeField(null=True)

    objects = ClientQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        indexes = [
            models.Index("agent", F("newest_deal_at").desc(), F("id").desc(), name="client_list_of_agent"),
            models.Index("agency", F("newest_deal_at").desc(), F("id").desc(), name="client_list_of_agency"),
            models.Index("agency", F("id").desc(), name="client_walk_of_agency"),
            models.Index(
                *("agency", F("newest_deal_at").desc(), F("id").desc()), name="client_list_of_trash", condition=IN_TRASH
            ),
            models.Index("deleted_at", name="client_sweep_trash", condition=IN_TRASH),
        ]

    def __str__(self) -> str:
        return f"client {self.pk}"

    @cached_property
    def numbers(self) -> list[str]:
        """Its phones as digits with country code, the main one first."""
        return [row.phone for row in self.phones.all()]

    @property
    def masked_numbers(self) -> list[str]:
        return [mask_phone(number) for number in self.numbers]

    @property
    def purges_at(self) -> datetime | None:
        """When the sweep removes it from the trash for good."""
        return self.deleted_at and self.deleted_at + settings.TRASH_LIFE


class ClientPhoneQuerySet(EncryptedQuerySet["ClientPhone"]):
    def visible_to(self, actor: "Actor") -> Self:
        in_agency = self.filter(agency_id=actor.agency_id)
        return in_agency if actor.is_head else in_agency.filter(agent_id=actor.user_id)

    def with_numbers(self, agency_id: UUID, numbers: Iterable[str]) -> Self:
        """Rows of these numbers (digits with country code), under any index key that is still in use."""
        indexes = [index for number in numbers for index in self.model.indexes_of(agency_id, number)]
        return self.filter(agency_id=agency_id, phone_index__in=indexes)


class ClientPhone(EncryptedModel):
    """One number of a client; the first is the main one. Unique per agent among clients that are not in the trash."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client = models.ForeignKey(Client, models.CASCADE, related_name="phones", db_index=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", db_index=False)
    agent = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)  # as the client's
    position = models.PositiveSmallIntegerField(default=0)
    phone = EncryptedTextField(max_length=15)
    phone_index = KeyedField(
        max_length=33, purpose="client_index", parts=lambda row: (CLIENT_PHONE, row.agency_id, row.phone)
    )
    is_live = models.BooleanField(default=True)  # False while the client is in the trash

    objects = ClientPhoneQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("client's phone")
        verbose_name_plural = _("clients' phones")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint("client", "position", name="client_phone_position"),
            models.UniqueConstraint(
                "agent", "phone_index", name="client_phone_of_agent_once", condition=Q(is_live=True)
            ),
        ]
        indexes = [models.Index("agency", "phone_index", name="client_phone_search")]

    def __str__(self) -> str:
        return f"phone {self.position} of client {self.client_id}"

    @staticmethod
    def indexes_of(agency_id: UUID, number: str) -> list[bytes]:
        """Return the index of a number (digits with country code) under every key that is still in use."""
        return blind_indexes("client_index", CLIENT_PHONE, agency_id, number)

    @classmethod
    def of(cls, client: Client, position: int, number: str) -> Self:
        """Return the row, not yet saved, of a client's number."""
        return cls(
            client=client,
            agency_id=client.agency_id,
            agent_id=client.agent_id,
            position=position,
            phone=number,
            phone_index=blind_index("client_index", CLIENT_PHONE, client.agency_id, number),
            is_live=client.deleted_at is None,
        )


class ClientToken(models.Model):
    """A short keyed hash of a name's beginning or of a number's last four digits: it finds candidates."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(Client, models.CASCADE, related_name="+", db_index=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", db_index=False)
    token = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint("agency", "token", "client", name="client_token_search")]
        indexes = [models.Index("client", name="client_token_of_client")]

    def __str__(self) -> str:
        return f"token of client {self.client_id}"


class Look(models.Model):
    """That a person saw a client's number in an hour: the second look in the same hour is not counted again."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    client = models.ForeignKey(Client, models.CASCADE, related_name="+", db_index=False)
    hour = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("client", "user", "hour", name="look_once_an_hour")]
        indexes = [models.Index("hour", name="look_sweep")]

    def __str__(self) -> str:
        return f"look at client {self.client_id}"

    @classmethod
    def keep(cls, user_id: UUID, client_id: UUID, hour: datetime) -> bool:
        """Insert the look, and tell whether it is the first one of this person at this client in this hour."""
        table = connection.ops.quote_name(cls._meta.db_table)
        key = User._meta.pk.get_db_prep_value  # of people and clients alike
        parameters = [
            key(user_id, connection),
            key(client_id, connection),
            connection.ops.adapt_datetimefield_value(hour),
        ]
        with connection.cursor() as cursor:
            cursor.execute(KEEP_LOOK.format(table=table), parameters)
            return cursor.fetchone() is not None
