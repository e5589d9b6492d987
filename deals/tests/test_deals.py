"""Creating, editing, throwing away and restoring deals."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.models import Action, Event, EventText
from accounts.services import evidence
from deals.models import Client, ClientPhone, Deal
from deals.services import trash
from deals.services.client_listing import ClientFilter, list_clients
from deals.services.clients import ClientExists, trash_client
from deals.services.deals import create_deal, edit_deal, restore_deal, trash_deal
from deals.services.notes import add_note
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE, actions, by, make_client, make_deal
from lk_site.errors import Invalid, Stale, VersionRequired


def test_a_deal_starts_in_the_first_stage_of_its_pipeline(anna):
    deal = make_deal(anna, kind="rent")
    assert (deal.stage.code, deal.status, deal.agent, deal.version) == ("new", "open", anna, 1)
    assert deal.stage.pipeline.kind == "rent"


def test_numbers_of_deals_count_up_in_each_agency_and_are_never_used_again(anna, boris, gleb):
    first = make_deal(anna)
    trash_deal(first.pk, actor=by(anna), version=1)
    Deal.objects.all().delete()
    assert [make_deal(boris).number, make_deal(anna).number, make_deal(gleb).number] == [2, 3, 1]


def test_a_new_phone_makes_a_client_of_the_agent(anna):
    deal = make_deal(anna, client_name="Мария Петрова")
    assert (deal.client.name, deal.client.numbers, deal.client.agent) == ("Мария Петрова", [PHONE], anna)
    assert actions() == ["agency.opened", "client.created", "deal.created"]


def test_a_known_phone_takes_the_agents_client(anna):
    client = make_client(anna, OTHER_PHONE, PHONE, name="Мария Петрова")
    deal = make_deal(anna, client_name="мария  петрова")
    assert deal.client == client
    assert Client.objects.get().newest_deal_at == deal.created_at


def test_another_name_for_a_known_phone_is_refused_and_nothing_is_stored(anna):
    client = make_client(anna, name="Мария Петрова")
    with pytest.raises(ClientExists) as refused:
        make_deal(anna, client_name="Пётр Петров")
    assert (refused.value.extra, refused.value.existing.name) == ({"client": str(client.pk)}, "Мария Петрова")
    assert not Deal.objects.exists()


def test_the_same_person_is_another_client_for_each_agent(anna, boris):
    assert make_deal(anna).client != make_deal(boris).client


def test_a_trashed_client_of_that_name_comes_back_with_the_deal(anna):
    client = make_client(anna, name="Мария")
    trash_client(client.pk, actor=by(anna), version=1)
    assert make_deal(anna, client_name="Мария").client == client
    assert ClientPhone.objects.get().is_live
    assert "client.restored" in actions()


def test_a_trashed_client_of_another_name_stays_there(anna):
    client = make_client(anna, name="Мария")
    trash_client(client.pk, actor=by(anna), version=1)
    assert make_deal(anna, client_name="Пётр").client != client


def test_a_client_may_be_named_by_id_if_he_is_the_agents_own(anna, boris):
    client = make_client(anna, name="Мария")
    assert make_deal(anna, client=client.pk).client == client
    with pytest.raises(Invalid):
        make_deal(boris, client=client.pk)


def test_a_client_without_a_name_gets_the_one_that_is_known_now(anna):
    make_client(anna)
    make_deal(anna, client_name="Мария")
    assert Client.objects.get().name == "Мария"
    assert list_clients(ClientFilter(q="мария"), actor=by(anna), limit=1).rows


def test_a_deal_is_for_somebody(anna):
    with pytest.raises(Invalid):
        make_deal(anna, "")


def test_a_deal_for_a_new_client_takes_eleven_statements_and_their_savepoint(anna, django_assert_max_num_queries):
    actor = by(anna)
    make_deal(anna, OTHER_PHONE)  # Django asks SQLite once whether it knows JSON
    with django_assert_max_num_queries(13):  # with the savepoint; session and idempotency key take two each
        create_deal(client_phone=PHONE, client_name="Мария", property_address="Тверь", price=Decimal(1), actor=actor)


def test_an_edit_changes_what_was_sent_and_tells_its_fields(anna):
    deal = make_deal(anna)
    changes = {
        "property_address": "Санкт-Петербург, Ёлочная, 1",
        "price": Decimal(9),
        "next_step": {"text": "Показ", "due_on": date(2026, 12, 1)},
        "notes": "",
    }
    deal = edit_deal(deal.pk, changes, actor=by(anna), version=1)
    stored = Deal.objects.get()
    assert (stored.price, stored.next_step_text, stored.version) == (Decimal(9), "Показ", 2)
    assert stored.search_text == "санкт-петербург, елочная, 1"
    event = Event.objects.get(action=Action.DEAL_CHANGED)
    assert (event.fields, event.version) == (["property_address", "price", "next_step"], 2)


def test_an_edit_to_the_same_values_leaves_no_trace(anna):
    deal = make_deal(anna, notes="Ключи у соседа")
    edit_deal(deal.pk, {"notes": "Ключи у соседа", "price": deal.price}, actor=by(anna), version=1)
    assert (Deal.objects.get().version, actions(action=Action.DEAL_CHANGED)) == (1, [])


def test_an_edit_of_an_old_version_names_what_changed_since(anna, vera):
    deal = make_deal(anna)
    edit_deal(deal.pk, {"price": Decimal(1)}, actor=by(vera), version=1)
    with pytest.raises(Stale) as stale:
        edit_deal(deal.pk, {"price": Decimal(2)}, actor=by(anna), version=1)
    assert (stale.value.current_version, stale.value.changed_fields) == (2, ["price"])
    with pytest.raises(VersionRequired):
        edit_deal(deal.pk, {"price": Decimal(2)}, actor=by(anna), version=None)


@pytest.mark.parametrize("change", [edit_deal, trash_deal])
def test_sight_comes_before_versions(anna, boris, gleb, change):
    deal = make_deal(anna)
    for stranger in boris, gleb:
        with pytest.raises(Deal.DoesNotExist):
            change(deal.pk, *([{}] if change is edit_deal else []), actor=by(stranger), version=None)


def test_a_trashed_deal_is_nowhere_but_in_the_trash(anna):
    deal = make_deal(anna)
    trash_deal(deal.pk, actor=by(anna), version=1)
    assert not Deal.objects.visible_to(by(anna)).exists()
    with pytest.raises(Deal.DoesNotExist):
        edit_deal(deal.pk, {}, actor=by(anna), version=2)
    assert restore_deal(deal.pk, actor=by(anna), version=2).version == 3
    assert Deal.objects.visible_to(by(anna)).get() == deal


def test_a_deal_brings_its_trashed_client_back(anna):
    deal = make_deal(anna)
    trash_deal(deal.pk, actor=by(anna), version=1)
    trash_client(deal.client_id, actor=by(anna), version=1)
    restore_deal(deal.pk, actor=by(anna), version=2)
    assert Client.objects.visible_to(by(anna)).exists()


def test_a_deal_stays_in_the_trash_when_another_client_has_the_number_now(anna):
    deal = make_deal(anna)
    trash_deal(deal.pk, actor=by(anna), version=1)
    trash_client(deal.client_id, actor=by(anna), version=1)
    make_client(anna, PHONE, name="Другой")
    with pytest.raises(ClientExists):
        restore_deal(deal.pk, actor=by(anna), version=2)
    assert not Deal.objects.visible_to(by(anna)).exists()


def test_the_trash_is_purged_after_thirty_days_and_the_evidence_stays(anna):
    deal = make_deal(anna)
    kept = make_deal(anna, OTHER_PHONE)
    add_note(deal.pk, "Ключи у соседа", actor=by(anna))
    trash_deal(deal.pk, actor=by(anna), version=1)
    trash_client(deal.client_id, actor=by(anna), version=1)
    trash.purge(timezone.now() + timedelta(days=29))
    assert Deal.objects.count() == 2
    trash.purge(timezone.now() + timedelta(days=31))
    assert list(Deal.objects.all()) == [kept]
    assert list(Client.objects.all()) == [kept.client]
    assert actions(deal_id=deal.pk) == ["deal.created", "note.added", "deal.trashed", "deal.purged"]
    assert not EventText.objects.filter(erased_at=None).exists()
    assert actions(object_id=deal.client_id)[-1] == "client.purged"
    assert {flaw for _, flaw in evidence.verify()} == {None}


def test_an_address_whose_letters_grow_when_folded_still_fits(anna):
    deal = make_deal(anna, property_address="ΐ" * 300)
    assert len(Deal.objects.get(pk=deal.pk).search_text) <= 900


def test_a_client_of_the_head_is_not_her_agents(anna, vera):
    client = make_client(anna, THIRD_PHONE)
    with pytest.raises(Invalid):
        make_deal(vera, client=client.pk)
