"""Clients: their numbers, their trash, and who sees a number."""

import pytest
from django.conf import settings

from accounts.models import Action, Event, EventText
from accounts.tests.people import make_staff, staff_actor
from deals.models import Client, ClientPhone, ClientToken, Look
from deals.services.client_listing import ClientFilter, list_clients
from deals.services.clients import ClientExists, ClientHasDeals, edit_client, restore_client, trash_client
from deals.services.deals import trash_deal
from deals.services.looks import look_at, reveal_phones
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE, actions, by, make_client, make_deal
from lk_site.errors import Invalid, LimitReached


def names(actor, **asked):
    return [row.name for row in list_clients(ClientFilter(**asked), actor=actor, limit=20).rows]


def test_a_number_belongs_to_one_live_client_of_an_agent(anna, boris):
    first = make_client(anna, PHONE, OTHER_PHONE)
    with pytest.raises(ClientExists) as refused:
        make_client(anna, OTHER_PHONE)
    assert refused.value.existing == first
    make_client(boris, PHONE)


@pytest.mark.parametrize(
    ("phones", "code"),
    [([], "required"), ([PHONE, PHONE], "phone_twice"), ([f"7916000000{n}" for n in range(6)], "too_many")],
)
def test_a_client_has_one_to_five_different_numbers(anna, phones, code):
    client = make_client(anna)
    with pytest.raises(Invalid) as refused:
        edit_client(client.pk, {"phones": phones}, actor=by(anna), version=1)
    assert [error.code for error in refused.value.errors] == [code]


def test_edited_numbers_and_names_are_found_and_the_old_ones_are_not(anna):
    client = make_client(anna, PHONE, name="Мария Петрова")
    changes = {"phones": [THIRD_PHONE, OTHER_PHONE], "name": "Марфа Сидорова"}
    edited = edit_client(client.pk, changes, actor=by(anna), version=1)
    assert (edited.version, edited.numbers) == (2, [THIRD_PHONE, OTHER_PHONE])
    assert Client.objects.get().numbers == [THIRD_PHONE, OTHER_PHONE]
    actor = by(anna)
    assert names(actor, q="сидор") == names(actor, q="4321") == names(actor, client_phone=(OTHER_PHONE,))
    assert names(actor, q="сидор") == ["Марфа Сидорова"]
    assert names(actor, q="петров") == names(actor, q="4567") == names(actor, client_phone=(PHONE,)) == []
    assert Event.objects.get(action=Action.CLIENT_CHANGED).fields == ["name", "phones"]


def test_numbers_may_change_places(anna):
    client = make_client(anna, PHONE, OTHER_PHONE)
    edit_client(client.pk, {"phones": [OTHER_PHONE, PHONE]}, actor=by(anna), version=1)
    assert Client.objects.get().numbers == [OTHER_PHONE, PHONE]


def test_equal_values_change_nothing(anna):
    client = make_client(anna, PHONE, name="Мария")
    edit_client(client.pk, {"name": "Мария", "phones": [PHONE], "notes": ""}, actor=by(anna), version=1)
    assert Client.objects.get().version == 1


def test_a_taken_number_is_refused_in_an_edit(anna):
    make_client(anna, PHONE)
    client = make_client(anna, OTHER_PHONE)
    with pytest.raises(ClientExists):
        edit_client(client.pk, {"phones": [OTHER_PHONE, PHONE]}, actor=by(anna), version=1)
    assert Client.objects.get(pk=client.pk).numbers == [OTHER_PHONE]


def test_a_client_with_deals_stays_and_one_with_trashed_deals_may_go(anna):
    deal = make_deal(anna)
    with pytest.raises(ClientHasDeals):
        trash_client(deal.client_id, actor=by(anna), version=1)
    trash_deal(deal.pk, actor=by(anna), version=1)
    trash_client(deal.client_id, actor=by(anna), version=1)
    assert not Client.objects.visible_to(by(anna)).exists()


def test_a_restored_client_clashes_with_who_has_the_number_now(anna):
    client = make_client(anna, name="Мария")
    trash_client(client.pk, actor=by(anna), version=1)
    taken = make_client(anna, name="Марфа")
    with pytest.raises(ClientExists) as refused:
        restore_client(client.pk, actor=by(anna), version=2)
    assert refused.value.existing == taken
    trash_client(taken.pk, actor=by(anna), version=1)
    assert restore_client(client.pk, actor=by(anna), version=2).deleted_at is None
    assert ClientPhone.objects.get(is_live=True).client == client


def test_strangers_find_no_client(anna, boris, gleb):
    client = make_client(anna)
    for stranger in boris, gleb:
        with pytest.raises(Client.DoesNotExist):
            edit_client(client.pk, {"phones": [PHONE]}, actor=by(stranger), version=None)
        with pytest.raises(Client.DoesNotExist):
            reveal_phones(client.pk, actor=by(stranger))
        assert not look_at(client, actor=by(stranger))


def test_the_table_holds_no_number_and_no_name(anna):
    make_client(anna, PHONE, name="Мария")
    assert PHONE.encode() not in bytes(ClientPhone.objects.get().phone_index)
    assert ClientToken.objects.count() == 4  # мар, мари, мария and 4567


# --- looks and reveals


def test_a_look_is_recorded_once_an_hour(anna):
    client = make_client(anna)
    assert look_at(client, actor=by(anna))
    assert look_at(client, actor=by(anna))
    assert actions(action=Action.CLIENT_LOOKED_AT) == ["client.looked_at"]
    assert Look.objects.count() == 1


def test_above_the_looks_of_an_hour_numbers_stay_masked(anna):
    most, _ = settings.LIMITS["looks"]
    actor = by(anna)
    clients = [make_client(anna, f"79160001{number:03}") for number in range(most + 1)]
    assert all(look_at(client, actor=actor) for client in clients[:most])
    assert not look_at(clients[most], actor=actor)
    assert look_at(clients[0], actor=actor)  # already looked at in this hour
    with pytest.raises(LimitReached):
        reveal_phones(clients[0].pk, actor=actor)
    assert Event.objects.filter(action=Action.CLIENT_LOOKED_AT).count() == most


def test_the_head_sees_masks_and_reveals(anna, vera):
    client = make_client(anna, PHONE, OTHER_PHONE)
    assert not look_at(client, actor=by(vera))
    assert reveal_phones(client.pk, actor=by(vera), reason="Жалоба") == [PHONE, OTHER_PHONE]
    event = Event.objects.get(action=Action.CLIENT_REVEALED)
    assert (event.actor_id, EventText.objects.get(pk=event.pk).text) == (vera.pk, "Жалоба")


def test_staff_say_why_they_reveal(anna):
    client = make_client(anna)
    make_staff()
    with pytest.raises(Invalid):
        reveal_phones(client.pk, actor=staff_actor())
    assert reveal_phones(client.pk, actor=staff_actor(), reason="Запрос 152-ФЗ") == [PHONE]
    assert Event.objects.get(action=Action.CLIENT_REVEALED).agency_id == anna.agency_id


def test_clients_with_the_newest_deal_come_first(anna):
    make_client(anna, PHONE, name="Первая")
    make_client(anna, OTHER_PHONE, name="Вторая")
    assert names(by(anna)) == ["Вторая", "Первая"]
    make_deal(anna)
    assert names(by(anna)) == ["Первая", "Вторая"]
