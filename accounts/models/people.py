"""Agencies, and the people of LK: agents who log in by phone, staff who log in to the admin."""

from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import VersionedModel, new_id
from lk_site.encryption import EncryptedQuerySet, EncryptedTextField, KeyedField, blind_index, blind_indexes
from lk_site.encryption.locks import lock_values

if TYPE_CHECKING:
    from accounts.actor import Actor

AGENT_PHONE = "agent.phone"


class AgencyQuerySet(models.QuerySet["Agency"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)


class Agency(models.Model):
    """The tenant. Nothing of one agency is ever visible to another."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(_("name"), max_length=100, blank=True)  # empty for an agency of one until somebody names it
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    alarmed_at = models.DateTimeField(null=True, editable=False)  # when its heads were last warned: see `alarms`

    objects = AgencyQuerySet.as_manager()

    class Meta:
        verbose_name = _("agency")
        verbose_name_plural = _("agencies")

    def __str__(self) -> str:
        return self.name or f"agency {self.pk}"


class UserKind(models.TextChoices):
    AGENT = "agent", _("agent")
    STAFF = "staff", _("staff")


class Role(models.TextChoices):
    AGENT = "agent", _("agent")
    HEAD = "head", _("head")


class Theme(models.TextChoices):
    SYSTEM = "system", _("as the device")
    LIGHT = "light", _("light")
    DARK = "dark", _("dark")


class UserQuerySet(EncryptedQuerySet["User"]):  # type: ignore[override]
    def active(self) -> Self:
        return self.filter(is_active=True)

    def agents(self) -> Self:
        return self.filter(kind=UserKind.AGENT)

    def staff(self) -> Self:
        return self.filter(kind=UserKind.STAFF)

    def visible_to(self, actor: "Actor") -> Self:
        """People of the actor's own agency."""
        return self.agents().filter(agency_id=actor.agency_id)

    def with_phone(self, phone: str) -> Self:
        """The agent of this phone (digits with country code), under any index key that is still in use."""
        return self.agents().filter(phone_index__in=blind_indexes("agent_index", AGENT_PHONE, phone))

    def lock_phone(self, phone: str) -> None:
        """Let one transaction at a time give a phone to somebody while two index keys are in use: then look for it."""
        lock_values(blind_indexes("agent_index", AGENT_PHONE, phone))

    def lock(self, pk: UUID) -> "User":
        """Lock a person, but not his key, as every row that others refer to is locked.

        Foreign keys are checked at the commit, when the agency's numbers are locked already: to wait there for a whole
        row, whose holder waits for the numbers, is a deadlock.
        """
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)


class User(AbstractBaseUser, VersionedModel):
    """An agent (phone and agency, no password) or a member of staff (login and password, no agency)."""

    USERNAME_FIELD = "login"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=UserKind, default=UserKind.AGENT, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, null=True, related_name="people", verbose_name=_("agency"))
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.AGENT)
    phone = EncryptedTextField(_("phone"), max_length=15, null=True)
    phone_index = KeyedField(
        max_length=33, null=True, editable=False, purpose="agent_index", parts=lambda row: (AGENT_PHONE, row.phone)
    )
    name = EncryptedTextField(_("name"), max_length=100, null=True)  # None until the first login has asked for it
    login = models.CharField(_("login"), max_length=50, null=True, unique=True)  # noqa: DJ001 agents have none
    password = models.CharField(_("password"), max_length=128, blank=True)
    language = models.CharField(_("language"), max_length=5, blank=True)  # empty: as the browser asks
    time_zone = models.CharField(_("time zone"), max_length=50, default="Europe/Moscow")
    theme = models.CharField(_("theme"), max_length=10, choices=Theme, default=Theme.SYSTEM)
    is_active = models.BooleanField(_("active"), default=True)
    consent_version = models.CharField(max_length=20, blank=True, editable=False)  # of the last consent given
    logged_in_at = models.DateTimeField(null=True, editable=False)
    alarms_seen_at = models.DateTimeField(null=True, editable=False)  # up to which alarm this head has looked
    last_login = None

    objects = UserQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint("phone_index", name="user_phone_is_unique"),
            models.CheckConstraint(
                name="user_is_agent_or_staff",
                condition=Q(kind="agent", agency__isnull=False, phone_index__isnull=False, login=None, password="")
                | Q(kind="staff", agency=None, phone_index=None, login__isnull=False),
            ),
        ]
        indexes = [models.Index("agency", "id", name="user_agency_people")]

    def __str__(self) -> str:
        return f"{self.kind} {self.login or self.pk}"

    def set_phone(self, phone: str) -> None:
        """Set phone and index together; `phone` is digits with country code."""
        self.phone = phone
        self.phone_index = blind_index("agent_index", AGENT_PHONE, phone)

    @property
    def is_head(self) -> bool:
        return self.role == Role.HEAD

    @property
    def is_alarmed(self) -> bool:
        """Whether a head has an alarm of his agency to look into."""
        alarmed_at = self.agency.alarmed_at if self.is_head and self.agency else None
        if alarmed_at is None or (self.alarms_seen_at and self.alarms_seen_at >= alarmed_at):
            return False
        return timezone.now() - alarmed_at < settings.ALARM_LIFE

    @property
    def is_staff(self) -> bool:
        return self.kind == UserKind.STAFF

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_staff and self.is_active

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_staff and self.is_active
