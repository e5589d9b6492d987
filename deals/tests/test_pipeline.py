"""Moving deals along their pipelines, and undoing it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Action, Event, EventText
from deals.models import Deal, LostReason, Stage
from deals.services import pipeline
from deals.services.deals import edit_deal, trash_deal
from deals.services.pipeline import NothingToUndo, SameStage, StageClosed, UndoTooLate, move_deal, undo_move
from deals.tests.making import TEN_MINUTES, actions, by, make_deal
from lk_site.errors import Invalid, NotAllowed, Stale, VersionRequired


def lose(deal, agent, version=1, reason="price", comment=""):
    return move_deal(deal.pk, "lost", actor=by(agent), version=version, lost_reason=reason, comment=comment)


def codes(refused):
    return [(error.field, error.code) for error in refused.value.errors]


def test_each_pipeline_ends_with_one_won_and_one_lost_stage(anna):
    for kind in "sale", "purchase", "let", "rent":
        kinds = [stage.kind for stage in Stage.objects.of_kind(anna.agency_id, kind)]
        assert kinds == ["open"] * (len(kinds) - 2) + ["won", "lost"]


def test_a_deal_moves_from_any_open_stage_to_any(anna):
    deal = make_deal(anna)
    for version, code in enumerate(["closing", "appraisal", "showing", "won"], 1):
        moved = move_deal(deal.pk, code, actor=by(anna), version=version)
        assert (moved.stage.code, moved.version) == (code, version + 1)
    assert Deal.objects.get().status == "won"
    events = Event.objects.filter(action=Action.DEAL_MOVED).order_by("seq")
    assert [event.data["now"] for event in events] == ["closing", "appraisal", "showing", "won"]


def test_a_stage_of_another_pipeline_is_unknown(anna):
    deal = make_deal(anna)
    with pytest.raises(Invalid) as refused:
        move_deal(deal.pk, "loan", actor=by(anna), version=1)
    assert codes(refused) == [("to", "stage_unknown")]


def test_a_deal_does_not_move_to_where_it_stands(anna):
    deal = make_deal(anna)
    with pytest.raises(SameStage):
        move_deal(deal.pk, "new", actor=by(anna), version=1)


def test_a_lost_deal_needs_a_reason_and_other_needs_words(anna):
    deal = make_deal(anna)
    with pytest.raises(StageClosed) as refused:
        lose(deal, anna, reason="")
    assert codes(refused) == [("lost_reason", "required")]
    with pytest.raises(StageClosed) as refused:
        lose(deal, anna, reason=LostReason.OTHER)
    assert codes(refused) == [("comment", "required")]
    with pytest.raises(Invalid):
        lose(deal, anna, reason="weather")
    lost = lose(deal, anna, reason=LostReason.OTHER, comment="Передумал после ремонта")
    assert (lost.status, lost.lost_reason.code, lost.lost_comment) == ("lost", "other", "Передумал после ремонта")


def test_only_a_lost_stage_takes_a_reason(anna):
    deal = make_deal(anna)
    with pytest.raises(StageClosed):
        move_deal(deal.pk, "won", actor=by(anna), version=1, lost_reason="price")


def test_the_head_alone_reopens_a_deal_and_says_why(anna, vera):
    deal = lose(make_deal(anna), anna)
    with pytest.raises(NotAllowed):
        move_deal(deal.pk, "showing", actor=by(anna), version=None, comment="Вернулся")
    with pytest.raises(StageClosed):
        move_deal(deal.pk, "showing", actor=by(vera), version=2)
    opened = move_deal(deal.pk, "showing", actor=by(vera), version=2, comment="Вернулся")
    assert (opened.status, opened.lost_reason, opened.lost_comment) == ("open", None, None)
    event = Event.objects.get(action=Action.DEAL_REOPENED)
    assert EventText.objects.get(pk=event.pk).text == "Вернулся"


def test_the_second_of_two_moves_from_one_version_is_stale(anna, vera):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    with pytest.raises(Stale) as stale:
        move_deal(deal.pk, "advance", actor=by(vera), version=1)
    assert stale.value.changed_fields == ["stage"]
    with pytest.raises(VersionRequired):
        move_deal(deal.pk, "advance", actor=by(vera), version=None)


def test_an_undone_move_leaves_everything_as_it_was(anna):
    deal = make_deal(anna)
    since = deal.stage_since
    lose(deal, anna, comment="Дорого")
    undone = undo_move(deal.pk, actor=by(anna), version=2)
    assert (undone.stage.code, undone.lost_reason, undone.lost_comment) == ("new", None, None)
    assert (undone.stage_since, undone.version) == (since, 3)
    assert actions(deal_id=deal.pk)[-1] == "deal.move_undone"


def test_an_undone_reopening_gives_the_lost_reason_back(anna, vera):
    deal = lose(make_deal(anna), anna, comment="Дорого")
    move_deal(deal.pk, "new", actor=by(vera), version=2, comment="Вернулся")
    undone = undo_move(deal.pk, actor=by(vera), version=3)
    assert (undone.lost_reason and undone.lost_reason.code, undone.lost_comment) == ("price", "Дорого")


def test_a_move_is_undone_once(anna):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    undo_move(deal.pk, actor=by(anna), version=2)
    with pytest.raises(Stale):
        undo_move(deal.pk, actor=by(anna), version=2)
    with pytest.raises(NothingToUndo):
        undo_move(deal.pk, actor=by(anna), version=3)


def test_who_moved_the_deal_undoes_it_and_nobody_else(anna, vera, boris):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    with pytest.raises(NotAllowed):
        undo_move(deal.pk, actor=by(vera), version=2)
    with pytest.raises(Deal.DoesNotExist):
        undo_move(deal.pk, actor=by(boris), version=2)
    move_deal(deal.pk, "advance", actor=by(vera), version=2)
    assert undo_move(deal.pk, actor=by(vera), version=3).stage.code == "showing"


def test_a_move_is_not_undone_after_a_change(anna):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    edit_deal(deal.pk, {"price": 1}, actor=by(anna), version=2)
    with pytest.raises(NothingToUndo):
        undo_move(deal.pk, actor=by(anna), version=3)


def test_a_move_is_undone_within_ten_minutes(anna, monkeypatch):
    deal = make_deal(anna)
    moved = move_deal(deal.pk, "showing", actor=by(anna), version=1)
    at = Event.objects.get(action=Action.DEAL_MOVED).at
    late = at + TEN_MINUTES + timedelta(seconds=1)
    assert pipeline.can_undo(moved, actor=by(anna), now=at + TEN_MINUTES - timedelta(seconds=1))
    assert not pipeline.can_undo(moved, actor=by(anna), now=late)
    monkeypatch.setattr(timezone, "now", lambda: late)
    with pytest.raises(UndoTooLate):
        undo_move(deal.pk, actor=by(anna), version=2)


def test_a_page_offers_undo_to_who_moved_the_deal(anna, vera):
    deal = make_deal(anna)
    now = timezone.now()
    assert not pipeline.can_undo(deal, actor=by(anna), now=now)
    moved = move_deal(deal.pk, "showing", actor=by(anna), version=1)
    assert pipeline.can_undo(moved, actor=by(anna), now=now)
    assert not pipeline.can_undo(moved, actor=by(vera), now=now)
    assert not pipeline.can_undo(trash_deal(deal.pk, actor=by(anna), version=2), actor=by(anna), now=now)


def test_time_in_stages_adds_up_and_leaves_undone_moves_out(anna):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    move_deal(deal.pk, "new", actor=by(anna), version=2)
    move_deal(deal.pk, "won", actor=by(anna), version=3)
    deal = undo_move(deal.pk, actor=by(anna), version=4)
    now = timezone.now() + timedelta(days=2)
    stood = pipeline.stage_durations(deal, now=now)
    assert set(stood) == {"new", "showing"}
    assert sum(stood.values(), timedelta()) == now - deal.created_at
