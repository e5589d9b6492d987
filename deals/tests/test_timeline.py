"""Notes and the timeline of a deal."""

import pytest

from accounts.models import EventText
from deals.models import Deal, Note
from deals.services.clients import edit_client
from deals.services.deals import edit_deal
from deals.services.hand_over import hand_over_deal
from deals.services.looks import look_at, reveal_phones
from deals.services.notes import add_note, delete_note, edit_note
from deals.services.pipeline import move_deal
from deals.services.timeline import read_timeline
from deals.tests.making import OTHER_PHONE, by, make_deal
from lk_site.errors import Invalid, NotAllowed


def told(deal, reader, limit=50, after=None):
    return read_timeline(deal, actor=by(reader), limit=limit, after=after)


def test_the_timeline_tells_what_happened_newest_first_by_name(anna, vera):
    deal = make_deal(anna)
    edit_deal(deal.pk, {"price": 1}, actor=by(vera), version=1)
    move_deal(deal.pk, "lost", actor=by(anna), version=2, lost_reason="price", comment="Дорого")
    lost, edited, created = told(deal, anna).entries
    assert (created.action, created.actor.name) == ("deal.created", "Анна Агеева")
    assert (edited.fields, edited.actor.name, edited.version) == (("price",), "Вера Власова", 2)
    assert (lost.was_stage, lost.now_stage) == ("Новая", "Отказ")
    assert (lost.lost_reason, lost.text) == ("Не сошлись в цене", "Дорого")


def test_hand_overs_name_both_agents_and_reveals_are_told_but_looks_are_not(anna, boris, vera):
    deal = make_deal(anna)
    look_at(deal.client, actor=by(anna))
    reveal_phones(deal.client_id, actor=by(vera), reason="Проверка")
    edit_client(deal.client_id, {"phones": [OTHER_PHONE]}, actor=by(anna), version=1)
    deal = hand_over_deal(deal.pk, boris.pk, actor=by(vera), version=1)
    given, changed, revealed, _created = told(deal, boris).entries
    assert (given.was_agent.name, given.now_agent.name) == ("Анна Агеева", "Борис Белов")
    assert (changed.action, revealed.action, revealed.text) == ("client.changed", "client.revealed", "Проверка")


def test_a_note_shows_its_newest_text_where_it_was_added(anna):
    deal = make_deal(anna)
    note = add_note(deal.pk, "Первая мысль", actor=by(anna))
    edit_note(deal.pk, note.pk, "Вторая мысль", actor=by(anna))
    edit, added, _ = told(deal, anna).entries
    assert (added.text, added.is_edited, added.is_editable, added.note_id) == ("Вторая мысль", True, True, note.pk)
    assert (edit.action, edit.text, edit.is_text_erased, edit.is_editable) == ("note.edited", None, False, False)


def test_a_deleted_note_leaves_its_trace_and_none_of_its_texts(anna):
    deal = make_deal(anna)
    note = add_note(deal.pk, "Первая мысль", actor=by(anna))
    edit_note(deal.pk, note.pk, "Вторая мысль", actor=by(anna))
    delete_note(deal.pk, note.pk, actor=by(anna))
    deleted, _edit, added, _ = told(deal, anna).entries
    assert (deleted.action, deleted.is_text_erased) == ("note.deleted", False)
    assert (added.text, added.is_text_erased, added.is_editable) == (None, True, False)
    assert not EventText.objects.filter(erased_at=None).exists()
    with pytest.raises(Note.DoesNotExist):
        edit_note(deal.pk, note.pk, "Ещё", actor=by(anna))


def test_a_note_is_edited_and_deleted_by_its_author_only(anna, vera, boris, gleb):
    deal = make_deal(anna)
    note = add_note(deal.pk, "Мысль", actor=by(anna))
    with pytest.raises(NotAllowed):
        edit_note(deal.pk, note.pk, "Чужая", actor=by(vera))
    with pytest.raises(NotAllowed):
        delete_note(deal.pk, note.pk, actor=by(vera))
    for stranger in boris, gleb:
        with pytest.raises(Deal.DoesNotExist):
            add_note(deal.pk, "Чужая", actor=by(stranger))
        with pytest.raises(Deal.DoesNotExist):
            delete_note(deal.pk, note.pk, actor=by(stranger))
    assert not told(deal, vera).entries[0].is_editable


def test_a_note_of_another_deal_is_not_there(anna):
    note = add_note(make_deal(anna).pk, "Мысль", actor=by(anna))
    with pytest.raises(Note.DoesNotExist):
        delete_note(make_deal(anna, OTHER_PHONE).pk, note.pk, actor=by(anna))


def test_a_note_has_text(anna):
    with pytest.raises(Invalid):
        add_note(make_deal(anna).pk, "", actor=by(anna))


def test_pages_follow_one_another_without_gap_or_repeat(anna):
    deal = make_deal(anna)
    for number in range(5):
        add_note(deal.pk, f"Заметка {number}", actor=by(anna))
    pages, after = [], None
    while True:
        page = told(deal, anna, limit=2, after=after)
        pages += [entry.text for entry in page.entries]
        if (after := page.last) is None:
            break
    assert pages == [*(f"Заметка {number}" for number in reversed(range(5))), None]


def test_a_page_costs_the_same_however_much_it_tells(anna, vera, django_assert_num_queries):
    deal = make_deal(anna)
    for number in range(6):
        add_note(deal.pk, f"Заметка {number}", actor=by(vera if number % 2 else anna))
        move_deal(deal.pk, ["showing", "new"][number % 2], actor=by(anna), version=number + 1)
    deal = Deal.objects.whole().get()
    with django_assert_num_queries(5):
        told(deal, anna)
