"""Deals: one piece of work for a client, on its way along a pipeline."""

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency, User
from accounts.models.base import VersionedModel, new_id
from deals.models.clients import IN_TRASH, Client
from deals.models.pipelines import DealKind, LostReason, Stage
from lk_site.encryption import EncryptedQuerySet, EncryptedTextField
from lk_site.text import fold

if TYPE_CHECKING:
    from accounts.actor import Actor

PRICE_AT_LEAST, PRICE_AT_MOST = Decimal("0.01"), Decimal("999999999999.99")  # api.md
COMMISSION_AT_MOST = Decimal(100)


def commission_of(price: Decimal, percent: Decimal | None) -> Decimal | None:
    """Return a commission in roubles to the kopeck, or None while no percentage is agreed."""
    return None if percent is None else (price * percent / 100).quantize(Decimal("0.01"))


class PropertyType(models.TextChoices):
    FLAT = "flat", _("flat")
    ROOM = "room", _("room")
    HOUSE = "house", _("house")
    TOWNHOUSE = "townhouse", _("townhouse")
    LAND = "land", _("land")
    COMMERCIAL = "commercial", _("commercial property")
    GARAGE = "garage", _("garage or parking")


class DealQuerySet(EncryptedQuerySet["Deal"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Deals that the actor works, or all of the agency for its head; trashed ones are nowhere but in the trash."""
        return self.of_actor(actor).filter(deleted_at=None)

    def trashed_visible_to(self, actor: "Actor") -> Self:
        return self.of_actor(actor).filter(deleted_at__isnull=False)

    def of_actor(self, actor: "Actor") -> Self:
        in_agency = self.filter(agency_id=actor.agency_id)
        return in_agency if actor.is_head else in_agency.filter(agent_id=actor.user_id)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def whole(self) -> Self:
        """Deals with all that a card shows of them: names of stage, client and agent, the client's numbers."""
        named = self.select_related("stage", "client", "agent", "lost_reason")
        return named.prefetch_related("client__phones")

    def lock(self, pk: UUID) -> "Deal":
        """Lock one deal, and return it with all that a card shows. Lock its client, if at all, before it.

        Two statements: PostgreSQL drops a row from a join that waited for its lock and finds another stage in it.
        """
        self.select_for_update(no_key=True).values_list("pk").get(pk=pk)
        return self.whole().get(pk=pk)

    def outlived(self, now: datetime) -> Self:
        """Deals whose time in the trash is over."""
        return self.filter(deleted_at__lt=now - settings.TRASH_LIFE)


class Deal(VersionedModel):
    """One piece of work for a client: a property, a price, a commission, a stage."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"), db_index=False)
    agent = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("agent"), db_index=False)
    client = models.ForeignKey(Client, models.PROTECT, related_name="deals", verbose_name=_("client"), db_index=False)
    number = models.PositiveIntegerField(_("number"), editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=DealKind, default=DealKind.SALE)
    property_type = models.CharField(_("property"), max_length=20, choices=PropertyType, blank=True)
    property_address = models.CharField(_("address"), max_length=300)
    search_text = models.CharField(max_length=900, editable=False)  # the address folded: a letter becomes up to three
    price = models.DecimalField(
        _("price"),
        max_digits=14,
        decimal_places=2,
        validators=[MinValueValidator(PRICE_AT_LEAST), MaxValueValidator(PRICE_AT_MOST)],
    )
    commission_percent = models.DecimalField(_("commission, %"), max_digits=5, decimal_places=2, null=True)
    stage = models.ForeignKey(Stage, models.PROTECT, related_name="+", verbose_name=_("stage"), db_index=False)
    stage_since = models.DateTimeField(default=timezone.now)
    lost_reason = models.ForeignKey(LostReason, models.PROTECT, null=True, related_name="+", db_index=False)
    lost_comment = EncryptedTextField(max_length=1000, null=True)
    next_step_text = EncryptedTextField(_("next step"), max_length=300, null=True)
    next_step_on = models.DateField(_("when"), null=True)
    notes = EncryptedTextField(_("notes"), max_length=5000, null=True)
    deleted_at = models.DateTimeField(null=True)

    objects = DealQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("deal")
        verbose_name_plural = _("deals")
        constraints = [
            models.UniqueConstraint("agency", "number", name="deal_number_in_agency"),
            models.CheckConstraint(
                name="deal_price_in_range", condition=Q(price__gte=PRICE_AT_LEAST, price__lte=PRICE_AT_MOST)
            ),
            models.CheckConstraint(
                name="deal_commission_in_range",
                condition=Q(commission_percent=None)
                | Q(commission_percent__gte=0, commission_percent__lte=COMMISSION_AT_MOST),
            ),
        ]
        indexes = [
            models.Index("agent", F("created_at").desc(), F("id").desc(), name="deal_list_of_agent"),
            models.Index("agency", F("created_at").desc(), F("id").desc(), name="deal_list_of_agency"),
            models.Index("client", F("created_at").desc(), name="deal_list_of_client"),
            models.Index("stage", F("created_at").desc(), F("id").desc(), name="deal_list_of_stage"),
            models.Index(
                *("agency", F("created_at").desc(), F("id").desc()), name="deal_list_of_trash", condition=IN_TRASH
            ),
            models.Index("deleted_at", name="deal_sweep_trash", condition=IN_TRASH),
        ]

    def __str__(self) -> str:
        return f"deal #{self.number}"

    @property
    def status(self) -> str:
        """Open, won or lost: the kind of its stage."""
        return self.stage.kind

    @property
    def is_open(self) -> bool:
        return self.stage.is_open

    @property
    def commission(self) -> Decimal | None:
        """Our commission in roubles, or None while no percentage is agreed."""
        return commission_of(self.price, self.commission_percent)

    @property
    def purges_at(self) -> datetime | None:
        """When the sweep removes it from the trash for good."""
        return self.deleted_at and self.deleted_at + settings.TRASH_LIFE

    def set_address(self, address: str) -> None:
        """Set the address and the folded text that it is searched by."""
        self.property_address = address
        self.search_text = fold(address)

    def is_overdue(self, today: date) -> bool:
        return self.is_open and self.next_step_on is not None and self.next_step_on < today
