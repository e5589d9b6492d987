"""Pipelines and their stages, as data: each agency has its own, laid when it opens."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from accounts.models.base import new_id

if TYPE_CHECKING:
    from accounts.actor import Actor


class DealKind(models.TextChoices):
    SALE = "sale", _("sale")
    PURCHASE = "purchase", _("purchase")
    LET = "let", _("letting")
    RENT = "rent", _("renting")


class StageKind(models.TextChoices):
    OPEN = "open", _("open")
    WON = "won", _("won")
    LOST = "lost", _("lost")


class Named(models.Model):
    """A thing with a stable code for programs and a name in each language for people."""

    code = models.SlugField(_("code"), max_length=30)
    name_ru = models.CharField(_("name in Russian"), max_length=50)
    name_en = models.CharField(_("name in English"), max_length=50)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_en if (get_language() or "").startswith("en") else self.name_ru


class PipelineQuerySet(models.QuerySet["Pipeline"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Pipelines of the actor's agency."""
        return self.filter(agency_id=actor.agency_id)


class Pipeline(Named):
    """The ordered steps of one kind of deal in one agency."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"))
    kind = models.CharField(_("kind of deal"), max_length=10, choices=DealKind)

    objects = PipelineQuerySet.as_manager()

    class Meta:
        verbose_name = _("pipeline")
        verbose_name_plural = _("pipelines")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint("agency", "kind", name="pipeline_of_each_kind_once"),
            models.UniqueConstraint("agency", "code", name="pipeline_code_in_agency"),
        ]


class StageQuerySet(models.QuerySet["Stage"]):
    def visible_to(self, actor: "Actor") -> Self:
        return self.filter(pipeline__agency_id=actor.agency_id)


class Stage(Named):
    """One step of a pipeline: open, won or lost."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    pipeline = models.ForeignKey(Pipeline, models.PROTECT, related_name="stages", verbose_name=_("pipeline"))
    kind = models.CharField(_("kind"), max_length=10, choices=StageKind, default=StageKind.OPEN)

    objects = StageQuerySet.as_manager()

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        ordering = ["position"]
        constraints = [models.UniqueConstraint("pipeline", "code", name="stage_code_in_pipeline")]


class LostReason(Named):
    """Why a deal was lost, as data: an agency's own list."""

    OTHER = "other"  # asks for a comment

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"))

    class Meta:
        verbose_name = _("lost reason")
        verbose_name_plural = _("lost reasons")
        ordering = ["position"]
        constraints = [models.UniqueConstraint("agency", "code", name="lost_reason_code_in_agency")]
