"""Handing deals over: whose client it becomes, in the order of security.md section 4."""

import pytest

from accounts.models import Event
from accounts.tests.people import make_agent
from deals.models import Client, ClientPhone, Deal
from deals.services.clients import ClientExists, restore_client, trash_client
from deals.services.deals import trash_deal
from deals.services.hand_over import SameAgent, hand_over_deal
from deals.tests.making import OTHER_PHONE, PHONE, THIRD_PHONE, actions, by, make_client, make_deal
from lk_site.errors import Invalid, NotAllowed, Stale


def give(deal, to, vera, version=1):
    return hand_over_deal(deal.pk, to.pk, actor=by(vera), version=version)


def test_a_client_without_other_deals_moves_with_his_notes(anna, boris, vera):
    client = make_client(anna, PHONE, OTHER_PHONE, name="Мария", notes="Любит тишину")
    deal = give(make_deal(anna), boris, vera)
    assert (deal.agent, deal.client, deal.version) == (boris, client, 2)
    client = Client.objects.get()
    assert (client.agent, client.notes, client.numbers) == (boris, "Любит тишину", [PHONE, OTHER_PHONE])
    assert set(ClientPhone.objects.values_list("agent_id", flat=True)) == {boris.pk}
    assert actions(object_id=client.pk)[-1] == "client.handed_over"
    assert not Deal.objects.visible_to(by(anna)).exists()


def test_the_new_agents_own_client_takes_the_deal(anna, boris, vera):
    client = make_client(anna, PHONE, OTHER_PHONE, name="Мария", notes="Тайна Анны")
    own = make_client(boris, OTHER_PHONE, name="Маша")
    deal = give(make_deal(anna), boris, vera)
    assert deal.client == own
    assert Client.objects.get(pk=client.pk).agent == anna
    assert Client.objects.get(pk=own.pk).notes is None
    event = Event.objects.get(action="deal.handed_over")
    assert event.fields == ["agent", "client"]


@pytest.mark.parametrize("is_trashed", [False, True])
def test_a_client_whom_the_old_agent_still_works_for_is_copied_without_notes(anna, boris, vera, is_trashed):
    client = make_client(anna, PHONE, name="Мария", email="m@example.org", notes="Тайна Анны")
    other = make_deal(anna)
    if is_trashed:
        trash_deal(other.pk, actor=by(anna), version=1)
    deal = give(make_deal(anna), boris, vera)
    copy = deal.client
    assert copy != client
    assert (copy.name, copy.numbers, copy.email, copy.notes) == ("Мария", [PHONE], "m@example.org", None)
    assert (copy.agent, Client.objects.get(pk=client.pk).agent) == (boris, anna)


def test_a_trashed_client_of_the_new_agent_stays_in_the_trash(anna, boris, vera):
    gone = make_client(boris, PHONE, name="Маша")
    trash_client(gone.pk, actor=by(boris), version=1)
    deal = give(make_deal(anna), boris, vera)
    assert deal.client != gone
    with pytest.raises(ClientExists):
        restore_client(gone.pk, actor=by(boris), version=2)


def test_the_first_number_that_the_new_agent_knows_decides(anna, boris, vera):
    make_client(anna, PHONE, OTHER_PHONE, THIRD_PHONE)
    second, third = make_client(boris, OTHER_PHONE), make_client(boris, THIRD_PHONE)
    assert give(make_deal(anna), boris, vera).client == second
    assert third.deals.count() == 0


def test_a_trashed_deal_is_not_handed_over(anna, boris, vera):
    deal = make_deal(anna)
    trash_deal(deal.pk, actor=by(anna), version=1)
    with pytest.raises(Deal.DoesNotExist):
        give(deal, boris, vera, version=2)


def test_only_the_head_hands_over(anna, boris, vera):
    deal = make_deal(anna)
    with pytest.raises(NotAllowed):
        hand_over_deal(deal.pk, boris.pk, actor=by(anna), version=None)
    with pytest.raises(Deal.DoesNotExist):
        hand_over_deal(deal.pk, boris.pk, actor=by(boris), version=1)
    with pytest.raises(Stale):
        give(deal, boris, vera, version=2)


def test_a_deal_goes_to_another_active_agent_of_the_agency(agency, anna, vera, gleb):
    deal = make_deal(anna)
    with pytest.raises(SameAgent):
        give(deal, anna, vera)
    for stranger in gleb, make_agent(agency, "Ушедший", is_active=False):
        with pytest.raises(Invalid):
            give(deal, stranger, vera)
