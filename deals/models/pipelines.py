"""Pipelines and their stages, as data: each agency has its own, laid when it opens."""

from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models
from django.db.models.functions import JSONObject
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


def name_in(language: str | None, name_ru: str, name_en: str) -> str:
    """Return the one of two names that a reader of this language sees."""
    return name_en if (language or "").startswith("en") else name_ru


class Named(models.Model):
    """A thing with a stable code for programs and a name in each language for people."""

    code = models.SlugField(_("code"), max_length=30, db_index=False)
    name_ru = models.CharField(_("name in Russian"), max_length=50)
    name_en = models.CharField(_("name in English"), max_length=50)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Its name in the language of whoever reads now."""
        return name_in(get_language(), self.name_ru, self.name_en)


class PipelineQuerySet(models.QuerySet["Pipeline"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Pipelines of the actor's agency."""
        return self.filter(agency_id=actor.agency_id)


class Pipeline(Named):
    """The ordered steps of one kind of deal in one agency."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"), db_index=False)
    kind = models.CharField(_("kind of deal"), max_length=10, choices=DealKind)

    objects = PipelineQuerySet.as_manager()

    class Meta:
        verbose_name = _("pipeline")
        verbose_name_plural = _("pipelines")
        ordering = ["position", "code"]
        constraints = [
            models.UniqueConstraint("agency", "kind", name="pipeline_of_each_kind_once"),
            models.UniqueConstraint("agency", "code", name="pipeline_code_in_agency"),
        ]


class StageQuerySet(models.QuerySet["Stage"]):
    def visible_to(self, actor: "Actor") -> Self:
        return self.filter(pipeline__agency_id=actor.agency_id)

    def of_kind(self, agency_id: UUID, kind: str) -> Self:
        """The stages of an agency's pipeline for one kind of deal, in their order."""
        return self.filter(pipeline__agency_id=agency_id, pipeline__kind=kind).order_by("position")

    def as_json(self) -> models.QuerySet["Stage", Any]:
        """Each stage as one JSON column, for a subquery that must bring the whole stage: see `Stage.from_json`."""
        names = ("id", "pipeline_id", "code", "name_ru", "name_en", "position", "kind")
        return self.values(json=JSONObject(**{name: name for name in names}))


class Stage(Named):
    """One step of a pipeline: open, won or lost."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    pipeline = models.ForeignKey(
        Pipeline, models.PROTECT, related_name="stages", verbose_name=_("pipeline"), db_index=False
    )
    kind = models.CharField(_("kind"), max_length=10, choices=StageKind, default=StageKind.OPEN)

    objects = StageQuerySet.as_manager()

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        ordering = ["position", "code"]
        constraints = [models.UniqueConstraint("pipeline", "code", name="stage_code_in_pipeline")]

    @property
    def is_open(self) -> bool:
        return self.kind == StageKind.OPEN

    @classmethod
    def from_json(cls, column: dict[str, str]) -> "Stage":
        ids = {name: UUID(column[name]) for name in ("id", "pipeline_id")}
        stage = cls(**{**column, **ids})
        stage._state.adding = False
        return stage


class LostReasonQuerySet(models.QuerySet["LostReason"]):
    def visible_to(self, actor: "Actor") -> Self:
        return self.filter(agency_id=actor.agency_id)


class LostReason(Named):
    """Why a deal was lost, as data: an agency's own list."""

    OTHER = "other"  # asks for a comment

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, models.PROTECT, related_name="+", verbose_name=_("agency"), db_index=False)

    objects = LostReasonQuerySet.as_manager()

    class Meta:
        verbose_name = _("lost reason")
        verbose_name_plural = _("lost reasons")
        ordering = ["position", "code"]
        constraints = [models.UniqueConstraint("agency", "code", name="lost_reason_code_in_agency")]
