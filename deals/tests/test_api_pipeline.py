"""Moves along the pipeline, hand-over, notes and the timeline, for programs."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import EventText
from deals.models import Deal
from deals.tests.making import OTHER_PHONE, PHONE, make_deal
from deals.tests.programs import Program, refused

NOTE = {"text": "Смотрели дважды\nпросят скидку"}


@pytest.fixture
def api(anna):
    return Program(anna)


@pytest.fixture
def head(vera):
    return Program(vera)


def move(program: Program, deal: Any, to: str, version: int = 1, **more: Any) -> Any:
    deal_id = deal.pk if isinstance(deal, Deal) else deal["id"]
    return program.post(f"/deals/{deal_id}/stage-moves", {"to": to, **more}, version=version)


# --- pipelines


def test_pipelines_come_with_their_stages_in_order_and_the_lost_reasons(api):
    answer = api.get("/pipelines").json()
    assert [(one["code"], one["kind"]) for one in answer["items"]] == [(kind, kind) for kind in KINDS]
    stages = answer["items"][0]["stages"]
    assert stages[0] == {"code": "new", "name": "New", "kind": "open"}
    assert [stage["kind"] for stage in stages][-2:] == ["won", "lost"]
    for pipeline in answer["items"]:
        codes = [stage["code"] for stage in pipeline["stages"]]
        assert len(codes) == len(set(codes))
    assert {"code": "price", "name": "Price"} in answer["lost_reasons"]
    assert answer["lost_reasons"][-1]["code"] == "other"


KINDS = ("sale", "purchase", "let", "rent")


def test_names_are_in_the_language_asked_for(anna):
    assert Program(anna, language="ru").get("/pipelines").json()["items"][0]["name"] == "Продажа"


def test_an_agency_sees_its_own_pipelines_only(gleb, anna):
    assert len(Program(gleb).get("/pipelines").json()["items"]) == len(KINDS)


# --- moves


def test_a_deal_moves_to_any_open_stage_and_is_won(api):
    deal = api.create()
    moved = move(api, deal, "showing").json()
    assert (moved["stage"]["code"], moved["status"], moved["version"]) == ("showing", "open", 2)
    assert move(api, deal, "new", version=2).json()["stage"]["code"] == "new"
    won = move(api, deal, "won", version=3).json()
    assert (won["status"], won["stage"]["kind"]) == ("won", "won")


def test_losing_asks_for_a_reason_and_other_for_words_too(api):
    deal = api.create()
    refused(move(api, deal, "lost"), 422, "stage_closed", "/lost_reason")
    refused(move(api, deal, "lost", lost_reason="other"), 422, "stage_closed", "/comment")
    refused(move(api, deal, "lost", lost_reason="weather"), 422, "invalid", "/lost_reason")
    lost = move(api, deal, "lost", lost_reason="other", comment="Купил у застройщика").json()
    assert (lost["status"], lost["lost_reason"]) == (
        "lost",
        {"code": "other", "name": "Other", "comment": "Купил у застройщика"},
    )
    (row,) = api.get("/deals/", {"status": "lost"}).json()["items"]
    assert row["lost_reason"] == lost["lost_reason"]


def test_a_stage_of_another_pipeline_is_unknown_and_the_same_stage_is_no_move(api):
    deal = api.create(kind="rent")
    refused(move(api, deal, "advance"), 422, "invalid", "/to")
    refused(move(api, deal, "new"), 422, "same_stage")
    refused(move(api, deal, "showing", lost_reason="price"), 422, "stage_closed", "/lost_reason")


def test_only_the_head_reopens_and_says_why(api, head):
    deal = api.create()
    move(api, deal, "won")
    refused(move(api, deal, "showing", version=2, comment="Ошибка"), 403, "not_allowed")
    refused(move(head, deal, "showing", version=2), 422, "stage_closed", "/comment")
    reopened = move(head, deal, "showing", version=2, comment="Сорвалась").json()
    assert (reopened["status"], reopened["lost_reason"]) == ("open", None)


def test_an_own_move_is_undone_once(api):
    deal = api.create()
    move(api, deal, "showing")
    undo = f"/deals/{deal['id']}/stage-moves/undo"
    undone = api.post(undo, version=2).json()
    assert (undone["stage"]["code"], undone["version"]) == ("new", 3)
    refused(api.post(undo, version=3), 422, "nothing_to_undo")


def test_a_move_is_undone_only_by_who_made_it_soon_and_if_nothing_changed(api, head, anna):
    deal = make_deal(anna)
    undo = f"/deals/{deal.pk}/stage-moves/undo"
    move(api, deal, "showing")
    refused(head.post(undo, version=2), 403, "not_allowed")
    with_old_move = timezone.now() + timedelta(minutes=10, seconds=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deals.services.pipeline.timezone.now", lambda: with_old_move)
        refused(api.post(undo, version=2), 422, "undo_too_late")
    api.patch(f"/deals/{deal.pk}", {"price": "1"}, version=2)
    refused(api.post(undo, version=3), 422, "nothing_to_undo")


# --- hand-over


def test_the_head_gives_a_deal_to_another_agent(head, anna, boris):
    deal = make_deal(anna)
    path = f"/deals/{deal.pk}"
    given = head.post(f"{path}/hand-over", {"agent": str(boris.pk)}, version=1)
    assert given.status_code == 200
    assert given.json()["agent"] == {"id": str(boris.pk), "name": "Борис Белов"}
    refused(Program(anna).get(path), 404, "not_found")
    assert Program(boris).get(path).json()["client_phone"] == PHONE


def test_a_deal_is_not_handed_to_a_stranger_or_to_who_has_it(head, anna, gleb):
    hand_over = f"/deals/{make_deal(anna).pk}/hand-over"
    refused(head.post(hand_over, {"agent": str(gleb.pk)}, version=1), 422, "invalid", "/agent")
    refused(head.post(hand_over, {"agent": str(anna.pk)}, version=1), 422, "same_agent")
    refused(head.post(hand_over, {"agent": "anna"}, version=1), 422, "invalid", "/agent")


# --- notes and the timeline


def test_a_note_is_added_edited_and_deleted_and_leaves_a_trace(api, anna):
    deal = api.create()
    path = f"/deals/{deal['id']}/notes"
    added = api.post(path, NOTE)
    note = added.json()
    assert (added.status_code, set(note)) == (201, {"id", "text", "author", "key", "created_at", "edited_at"})
    assert (note["text"], note["author"]["id"], note["edited_at"]) == (NOTE["text"], str(anna.pk), None)
    edited = api.patch(f"{path}/{note['id']}", {"text": "Скидку дали"}).json()
    assert (edited["id"], edited["text"]) == (note["id"], "Скидку дали")
    assert edited["edited_at"]
    assert api.delete(f"{path}/{note['id']}").status_code == 204
    refused(api.patch(f"{path}/{note['id']}", NOTE), 404, "not_found")
    entries = timeline(api, deal)
    assert [entry["action"] for entry in entries] == ["note.deleted", "note.edited", "note.added", "deal.created"]
    assert (entries[2]["text"], entries[2]["is_text_erased"]) == (None, True)
    assert not EventText.objects.exclude(erased_at__isnull=False).exists()


def test_a_note_stands_where_it_was_added_with_its_newest_text(api):
    deal = api.create()
    note = api.post(f"/deals/{deal['id']}/notes", NOTE).json()
    api.patch(f"/deals/{deal['id']}/notes/{note['id']}", {"text": "Новое"})
    edited, added, _created = timeline(api, deal)
    assert (added["text"], added["note"], added["is_edited"]) == ("Новое", note["id"], True)
    assert edited["text"] is None


def test_a_note_is_its_authors_only(api, head, boris):
    deal = api.create()
    path = f"/deals/{deal['id']}/notes"
    note = head.post(path, NOTE).json()
    refused(api.patch(f"{path}/{note['id']}", NOTE), 403, "not_allowed")
    refused(api.delete(f"{path}/{note['id']}"), 403, "not_allowed")
    refused(Program(boris).delete(f"{path}/{note['id']}"), 404, "not_found")
    elsewhere = api.create(client_phone=OTHER_PHONE)
    refused(head.patch(f"/deals/{elsewhere['id']}/notes/{note['id']}", NOTE), 404, "not_found")


@pytest.mark.parametrize("text", ["", "  \n ", "я" * 5001, "a\u0000", "a\u202eb", None, 5])
def test_a_note_has_words_that_can_be_kept(api, text):
    deal = api.create()
    refused(api.post(f"/deals/{deal['id']}/notes", {"text": text}), 422, "invalid", "/text")
    assert len(timeline(api, deal)) == 1


def test_the_timeline_names_stages_reasons_and_people(api, head, anna, boris, vera):
    deal = api.create()
    move(api, deal, "showing")
    move(api, deal, "lost", version=2, lost_reason="other", comment="Передумал совсем")
    head.post(f"/deals/{deal['id']}/hand-over", {"agent": str(boris.pk)}, version=3)
    given, lost, moved, created = timeline(head, deal)
    assert (created["action"], created["now_stage"], created["version"]) == (
        "deal.created",
        {"code": "new", "name": "New"},
        1,
    )
    assert (moved["was_stage"]["code"], moved["now_stage"]["code"]) == ("new", "showing")
    assert (moved["fields"], moved["version"], moved["actor"]["id"]) == (["stage"], 2, str(anna.pk))
    assert (lost["lost_reason"], lost["text"]) == ({"code": "other", "name": "Other"}, "Передумал совсем")
    assert (given["was_agent"]["id"], given["now_agent"]["id"]) == (str(anna.pk), str(boris.pk))
    assert (given["was_stage"], given["actor"]["id"]) == (None, str(vera.pk))


def test_reveals_stand_in_the_timeline_and_looks_do_not(api, head):
    deal = api.create()
    head.post(f"/clients/{deal['client']}/reveal", {"reason": "Жалоба"})
    api.get(f"/deals/{deal['id']}")
    entries = timeline(api, deal)
    assert [entry["action"] for entry in entries] == ["client.revealed", "deal.created"]


def test_the_timeline_comes_in_pages(api):
    deal = api.create()
    for number in range(5):
        api.post(f"/deals/{deal['id']}/notes", {"text": f"Заметка {number}"})
    path, seen, cursor = f"/deals/{deal['id']}/timeline", [], None
    while True:
        page = api.get(path, {"limit": "2", **({"cursor": cursor} if cursor else {})}).json()
        seen += [entry["id"] for entry in page["items"]]
        api.post(f"/deals/{deal['id']}/notes", {"text": "Пока листали"})
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 6


def test_the_timeline_of_a_foreign_deal_is_404(anna, boris):
    deal = make_deal(anna)
    refused(Program(boris).get(f"/deals/{deal.pk}/timeline"), 404, "not_found")
    refused(Program(boris).post(f"/deals/{deal.pk}/notes", NOTE), 404, "not_found")


def timeline(program: Program, deal: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = program.get(f"/deals/{deal['id']}/timeline").json()["items"]
    return entries
