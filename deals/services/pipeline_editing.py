"""Pipelines, stages and lost reasons, as staff change them: names, order, new ones. Codes and kinds never change.

Nothing is deleted: deals stand on stages, and their past names reasons.
"""

import re
from typing import TypedDict, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, Agency
from accounts.services.people import must_be_staff
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import LostReason, Pipeline, Stage, StageKind
from lk_site.errors import Clash, Invalid, InvalidValue
from lk_site.text import clean_line

NAME_AT_MOST = 50
POSITION_AT_MOST = 100
CODE = re.compile(r"[a-z][a-z0-9_]{0,29}", re.ASCII)
Named = TypeVar("Named", Pipeline, Stage, LostReason)


class Names(TypedDict):
    """What people read of a pipeline, stage or reason, and where it stands among its like."""

    name_ru: str
    name_en: str
    position: int


class CodeTaken(Clash):
    """Codes are unique within a pipeline, and reasons' within an agency."""

    code = "code_taken"
    sentence = _("This code is taken.")


@unit_of_work
def edit_pipeline(pipeline_id: UUID, names: Names, *, actor: Actor) -> Pipeline:
    """Change names and place of a pipeline. Raises Pipeline.DoesNotExist, Invalid."""
    must_be_staff(actor)
    return changed(Pipeline.objects.select_for_update(no_key=True).get(pk=pipeline_id), names, actor=actor)


@unit_of_work
def edit_stage(stage_id: UUID, names: Names, *, actor: Actor) -> Stage:
    """Change names and place of a stage. Raises Stage.DoesNotExist, Invalid."""
    must_be_staff(actor)
    stages = Stage.objects.select_related("pipeline").select_for_update(of=("self",), no_key=True)
    return changed(stages.get(pk=stage_id), names, actor=actor)


@unit_of_work
def edit_lost_reason(reason_id: UUID, names: Names, *, actor: Actor) -> LostReason:
    """Change names and place of a lost reason. Raises LostReason.DoesNotExist, Invalid."""
    must_be_staff(actor)
    return changed(LostReason.objects.select_for_update(no_key=True).get(pk=reason_id), names, actor=actor)


@unit_of_work
def add_stage(pipeline_id: UUID, code: str, kind: str, names: Names, *, actor: Actor) -> Stage:
    """Add a stage to a pipeline. Raises Pipeline.DoesNotExist, CodeTaken, Invalid."""
    must_be_staff(actor)
    pipeline = Pipeline.objects.select_for_update(no_key=True).get(pk=pipeline_id)
    if kind not in StageKind.values:
        raise Invalid.at("kind", "unknown", _("There is no such kind."))
    stage = Stage(pipeline=pipeline, code=cleaned_code(code), kind=kind, **cleaned(names))
    return added(stage, pipeline.agency_id, actor=actor)


@unit_of_work
def add_lost_reason(agency_id: UUID, code: str, names: Names, *, actor: Actor) -> LostReason:
    """Add a reason why deals of an agency are lost. Raises Agency.DoesNotExist, CodeTaken, Invalid."""
    must_be_staff(actor)
    agency = Agency.objects.open().get(pk=agency_id)
    return added(LostReason(agency=agency, code=cleaned_code(code), **cleaned(names)), agency.pk, actor=actor)


def changed(row: Named, names: Names, *, actor: Actor) -> Named:
    """Save what differs of names and place, and record it; the same again changes nothing."""
    fields = [name for name, value in cleaned(names).items() if getattr(row, name) != value]
    if not fields:
        return row
    for name in fields:
        setattr(row, name, cleaned(names)[name])  # type: ignore[literal-required]
    row.save(update_fields=fields)
    agency_id = row.pipeline.agency_id if isinstance(row, Stage) else row.agency_id
    record(actor, Action.PIPELINE_CHANGED, row, agency_id=agency_id, fields=fields)
    return row


def added(row: Named, agency_id: UUID, *, actor: Actor) -> Named:
    """Insert a row, and record it. Raises CodeTaken."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise CodeTaken from error
    record(actor, Action.PIPELINE_CHANGED, row, agency_id=agency_id, added=row.code)
    return row


def cleaned(names: Names) -> Names:
    """Return names and place as they are stored. Raises Invalid."""
    if not 0 <= names["position"] <= POSITION_AT_MOST:
        raise Invalid.at("position", "out_of_range", _("A number from 0 to 100."))
    return {
        "name_ru": cleaned_name("name_ru", names["name_ru"]),
        "name_en": cleaned_name("name_en", names["name_en"]),
        "position": names["position"],
    }


def cleaned_name(field: str, name: str) -> str:
    try:
        line = clean_line(name, NAME_AT_MOST)
    except InvalidValue as error:
        raise Invalid(errors=[error.at(field)]) from error
    if not line:
        raise Invalid.at(field, "required", _("Write the name."))
    return line


def cleaned_code(code: str) -> str:
    if not CODE.fullmatch(code):
        raise Invalid.at("code", "invalid", _("Small Latin letters, digits and underscores; a letter first."))
    return code
