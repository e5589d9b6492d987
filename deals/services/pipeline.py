"""A deal's way along its pipeline: moves, undone moves, and how long it stood in each stage."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, Event, EventText
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import Deal, LostReason, Stage, StageKind
from deals.services.permissions import may
from lk_site.errors import DomainError, FieldError, Invalid, NotAllowed
from lk_site.hot_reads import Compiled, Param

MOVES = (Action.DEAL_MOVED, Action.DEAL_REOPENED)


class StageClosed(DomainError):
    """A stage asks for more than was given; `errors` name everything that is missing."""

    code = "stage_closed"
    sentence = _("This stage asks for more.")
    facts = {"errors": [{"pointer": "/lost_reason", "code": "required", "message": "Choose why the deal is lost."}]}


class SameStage(DomainError):
    """A move leads somewhere else."""

    code = "same_stage"
    sentence = _("The deal already stands in this stage.")


class NothingToUndo(DomainError):
    """The last change of the deal was not a move, or it was undone already."""

    code = "nothing_to_undo"
    sentence = _("The deal has changed since the move. Move it back instead.")


class UndoTooLate(DomainError):
    """A move is undone within minutes, or else moved back, which leaves its own trace."""

    code = "undo_too_late"
    sentence = _("A move can be undone for ten minutes. Move the deal back instead.")


@unit_of_work
def move_deal(
    deal_id: UUID, to: str, *, actor: Actor, version: int | None, lost_reason: str = "", comment: str = ""
) -> Deal:
    """Move a deal to another stage of its pipeline; `to` and `lost_reason` are codes.

    Leaving a won or lost stage is reopening: the head does it, with a comment. Raises Deal.DoesNotExist, NotAllowed,
    VersionRequired, Stale, Invalid for an unknown code, SameStage, and StageClosed with everything that is missing.
    """
    deal = Deal.objects.visible_to(actor).lock(deal_id)
    action = Action.DEAL_MOVED if deal.is_open else Action.DEAL_REOPENED
    may(actor, action, deal)
    deal.require_version(version)
    stage = stage_of(deal, to)
    if stage.pk == deal.stage_id:
        raise SameStage
    if missing := unmet_requirements(deal, stage, lost_reason, comment):
        raise StageClosed(errors=missing)
    reason = reason_of(deal, lost_reason) if stage.kind == StageKind.LOST else None
    facts = was_and_now(deal, stage, reason)
    place(deal, stage, since=timezone.now(), reason=reason, comment=comment if reason else "")
    record(actor, action, deal, fields=["stage"], text=comment, **facts)
    return deal


@unit_of_work
def undo_move(deal_id: UUID, *, actor: Actor, version: int | None) -> Deal:
    """Put a deal back to where its last move took it from: soon, by who moved it, and if nothing changed since.

    Raises Deal.DoesNotExist, NotAllowed, VersionRequired, Stale, NothingToUndo, UndoTooLate.
    """
    deal = Deal.objects.visible_to(actor).lock(deal_id)
    may(actor, Action.DEAL_MOVE_UNDONE, deal)
    move = last_move(deal)
    if move is not None and move.actor_id != actor.id:
        raise NotAllowed
    deal.require_version(version)
    if move is None:
        raise NothingToUndo
    if timezone.now() - move.at > settings.UNDO_WITHIN:
        raise UndoTooLate
    left, stage = deal.stage, stage_of(deal, move.data["was"])
    reason, comment = reason_before(deal, move)
    place(deal, stage, since=datetime.fromisoformat(move.data["since"]), reason=reason, comment=comment)
    record(actor, Action.DEAL_MOVE_UNDONE, deal, fields=["stage"], was=left.code, now=stage.code)
    return deal


def can_undo(deal: Deal, *, actor: Actor, now: datetime) -> bool:
    """Tell whether `undo_move` would put the deal back now."""
    if deal.deleted_at is not None or now - deal.updated_at > settings.UNDO_WITHIN:
        return False
    move = last_move(deal)
    return move is not None and move.actor_id == actor.id and now - move.at <= settings.UNDO_WITHIN


def unmet_requirements(deal: Deal, to: Stage, lost_reason: str, comment: str) -> list[FieldError]:
    """Return what a move still needs: a reason to lose a deal, words for `other` and for reopening."""
    missing = []
    if to.kind == StageKind.LOST and not lost_reason:
        missing.append(FieldError("lost_reason", "required", _("Choose why the deal is lost.")))
    if lost_reason == LostReason.OTHER and not comment:
        missing.append(FieldError("comment", "required", _("Write what the reason is.")))
    elif not deal.is_open and not comment:
        missing.append(FieldError("comment", "required", _("Write why the deal is opened again.")))
    if to.kind != StageKind.LOST and lost_reason:
        missing.append(FieldError("lost_reason", "not_lost", _("Only a lost deal has such a reason.")))
    return missing


def place(deal: Deal, stage: Stage, *, since: datetime, reason: LostReason | None, comment: str) -> None:
    """Save where a deal stands now, and since when."""
    deal.stage, deal.stage_since = stage, since
    deal.lost_reason, deal.lost_comment = reason, comment or None
    deal.save_changes("stage", "stage_since", "lost_reason", "lost_comment")


def was_and_now(deal: Deal, stage: Stage, reason: LostReason | None) -> dict[str, Any]:
    """Return what the event of a move tells: enough to undo it, in codes."""
    facts = {"was": deal.stage.code, "now": stage.code, "since": deal.stage_since.isoformat()}
    if deal.lost_reason:
        facts["was_reason"] = deal.lost_reason.code
    if reason:
        facts["reason"] = reason.code
    return facts


def stage_of(deal: Deal, code: str) -> Stage:
    """Return the stage of the deal's pipeline with this code. Raises Invalid."""
    try:
        return Stage.objects.get(pipeline_id=deal.stage.pipeline_id, code=code)
    except Stage.DoesNotExist:
        raise Invalid.at("to", "stage_unknown", _("This pipeline has no such stage.")) from None


def reason_of(deal: Deal, code: str) -> LostReason:
    """Return the lost reason of the deal's agency with this code. Raises Invalid."""
    try:
        return LostReason.objects.get(agency_id=deal.agency_id, code=code)
    except LostReason.DoesNotExist:
        raise Invalid.at("lost_reason", "reason_unknown", _("There is no such reason.")) from None


# --- what the events know


def last_move(deal: Deal) -> Event | None:
    """Return the move that made the deal's version, or None if something else did."""
    made_it = Event.objects.filter(object_id=deal.pk, version=deal.version, agency_id=deal.agency_id)
    return made_it.filter(action__in=MOVES).first()


def reason_before(deal: Deal, move: Event) -> tuple[LostReason | None, str]:
    """Return why the deal counted as lost before a move, with the comment; nothing for one that did not."""
    code = move.data.get("was_reason")
    if code is None:
        return None, ""
    earlier = Event.objects.filter(deal_id=deal.pk, agency_id=deal.agency_id, action__in=MOVES, seq__lt=move.seq)
    lost = earlier.filter(data__now=move.data["was"]).newest_first().first()
    told = EventText.objects.filter(pk=lost.pk).first() if lost else None
    return reason_of(deal, code), (told and told.text) or ""


def stage_durations(deal: Deal, *, now: datetime) -> dict[str, timedelta]:
    """Return how long the deal stood in each of its stages, by their codes. An undone move never was."""
    passages = passages_of(deal)
    stood = defaultdict[str, timedelta](timedelta)
    for (code, since), (_next, until) in zip(passages, [*passages[1:], ("", now)], strict=True):
        stood[code] += until - since
    return dict(stood)


PASSAGES = Compiled(
    lambda: (
        Event.objects.filter(
            deal_id=Param("deal", Deal._meta.pk), action__in=[Action.DEAL_CREATED, Action.DEAL_MOVE_UNDONE, *MOVES]
        )
        .order_by("seq")
        .values_list("action", "data", "at")
    )
)


def passages_of(deal: Deal) -> list[tuple[str, datetime]]:
    """Return the codes of the stages that the deal went through, each with the time it came there."""
    passages: list[tuple[str, datetime]] = []
    for action, data, at in PASSAGES.rows(deal=deal.pk):
        if action == Action.DEAL_MOVE_UNDONE:
            passages.pop()
        else:
            passages.append((data["now"], deal.created_at if action == Action.DEAL_CREATED else at))
    return passages
