"""Two requests at once never break a rule, on either database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection

from accounts.models import Action, Event, User
from accounts.services import evidence
from accounts.services.people import add_agent, disable_agent
from accounts.services.unit_of_work import unit_of_work
from accounts.tests.people import staff_actor
from deals.models import Client, Deal, Look
from deals.services.clients import ClientExists, edit_client, restore_client, trash_client
from deals.services.deals import edit_deal
from deals.services.hand_over import hand_over_deal
from deals.services.looks import look_at
from deals.services.pipeline import move_deal, undo_move
from deals.tests.making import OTHER_PHONE, PHONE, by, make_client, make_deal
from lk_site.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads that start together; return what each returned, or the refusal it raised."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return call()
        except (DomainError, ObjectDoesNotExist) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def refusals(results: list[Any]) -> list[str]:
    return sorted(type(result).__name__ for result in results if isinstance(result, Exception))


def test_a_number_is_given_to_one_of_two_new_clients(anna):
    results = at_once(*[lambda: make_client(anna, PHONE)] * 4)
    assert refusals(results) == ["ClientExists"] * 3
    assert Client.objects.count() == 1
    existing = {result.existing for result in results if isinstance(result, ClientExists)}
    assert existing == {Client.objects.get()}


def test_deals_for_one_phone_share_the_client_and_have_numbers_of_their_own(anna):
    results = at_once(*[lambda: make_deal(anna)] * 6)
    assert refusals(results) == []
    assert Client.objects.count() == 1
    assert sorted(Deal.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_agents_of_one_agency_never_get_one_number_twice(anna, boris, vera):
    at_once(*[lambda who=who: make_deal(who) for who in (anna, boris, vera) for _ in range(3)])
    assert sorted(Deal.objects.values_list("number", flat=True)) == list(range(1, 10))
    assert {flaw for _, flaw in evidence.verify()} == {None}


def test_a_freed_number_goes_to_the_restored_client_or_to_another(anna):
    trashed = make_client(anna, PHONE)
    trash_client(trashed.pk, actor=by(anna), version=1)
    other = make_client(anna, OTHER_PHONE)
    results = at_once(
        lambda: restore_client(trashed.pk, actor=by(anna), version=2),
        lambda: edit_client(other.pk, {"phones": [PHONE]}, actor=by(anna), version=1),
    )
    assert refusals(results) == ["ClientExists"]


def test_one_of_two_moves_from_one_version_wins(anna):
    deal = make_deal(anna)
    results = at_once(
        *[lambda to=to: move_deal(deal.pk, to, actor=by(anna), version=1) for to in ("showing", "advance", "closing")]
    )
    assert refusals(results) == ["Stale", "Stale"]
    assert (Deal.objects.get().version, Event.objects.filter(action=Action.DEAL_MOVED).count()) == (2, 1)


def test_a_move_is_undone_by_one_of_two(anna):
    deal = make_deal(anna)
    move_deal(deal.pk, "showing", actor=by(anna), version=1)
    results = at_once(*[lambda: undo_move(deal.pk, actor=by(anna), version=2)] * 3)
    assert refusals(results) == ["Stale", "Stale"]
    assert Deal.objects.get().stage.code == "new"


def test_an_edit_and_a_hand_over_do_not_lose_each_other(anna, boris, vera):
    deal = make_deal(anna)
    results = at_once(
        lambda: edit_deal(deal.pk, {"price": 1}, actor=by(anna), version=1),
        lambda: hand_over_deal(deal.pk, boris.pk, actor=by(vera), version=1),
    )
    assert refusals(results) in (["Stale"], ["DoesNotExist"])
    stored = Deal.objects.get()
    assert (stored.version, stored.price == 1) in ((2, True), (2, False))
    assert (stored.agent == boris) != (stored.price == 1)


def test_hand_overs_of_one_clients_deals_leave_each_agent_one_client(anna, boris, vera):
    deals = [make_deal(anna) for _ in range(4)]
    results = at_once(
        *[lambda deal=deal: hand_over_deal(deal.pk, boris.pk, actor=by(vera), version=1) for deal in deals]
    )
    assert refusals(results) == []
    assert Client.objects.filter(agent=boris).count() == 1
    assert {deal.client.agent for deal in Deal.objects.all()} == {boris}


def test_a_new_deal_and_a_hand_over_leave_every_client_with_the_agent_of_his_deals(anna, boris, vera):
    deal = make_deal(anna)
    results = at_once(lambda: make_deal(anna), lambda: hand_over_deal(deal.pk, boris.pk, actor=by(vera), version=1))
    assert refusals(results) == []
    for made in Deal.objects.all():
        assert made.client.agent == made.agent


@pytest.mark.parametrize("create", [make_deal, make_client])
def test_an_agent_who_moves_to_an_agency_leaves_no_work_behind(agency, gleb, create):
    staff, phone = staff_actor(), gleb.phone
    at_once(
        lambda: add_agent(agency.pk, phone=phone, name="Глеб", role="agent", actor=staff),
        lambda: create(gleb),
    )
    for row in [*Deal.objects.all(), *Client.objects.all()]:
        assert row.agency_id == row.agent.agency_id
    assert Client.objects.exists() == (User.objects.get(pk=gleb.pk).agency_id == gleb.agency_id)


def test_a_deal_is_not_handed_over_to_who_is_disabled_meanwhile(anna, boris, vera):
    deal, staff = make_deal(anna), staff_actor()
    at_once(
        lambda: disable_agent(boris.pk, actor=staff),
        lambda: hand_over_deal(deal.pk, boris.pk, actor=by(vera), version=1),
    )
    events = list(Event.objects.filter(action__in=["agent.disabled", "deal.handed_over"]).order_by("seq"))
    assert [event.action for event in events] in (["agent.disabled"], ["deal.handed_over", "agent.disabled"])


def test_a_client_is_not_trashed_under_a_deal_that_is_being_made(anna):
    client = make_client(anna)
    at_once(lambda: trash_client(client.pk, actor=by(anna), version=1), lambda: make_deal(anna))
    assert Deal.objects.get().client.deleted_at is None


def test_a_deal_that_shows_its_number_and_looks_at_the_client_do_not_block_each_other(anna):
    client, actor = make_client(anna), by(anna)

    @unit_of_work
    def create_and_look() -> bool:
        return look_at(make_deal(anna).client, actor=actor)

    results = at_once(*[create_and_look] * 3, *[lambda: look_at(client, actor=actor)] * 3)
    assert results == [True] * 6
    assert Look.objects.count() == 1


def test_looks_at_once_are_one_look(anna):
    client = make_client(anna)
    assert at_once(*[lambda: look_at(client, actor=by(anna))] * 5) == [True] * 5
    assert (Look.objects.count(), Event.objects.filter(action=Action.CLIENT_LOOKED_AT).count()) == (1, 1)
