"""Many bulks and single operations over the same rows at once: they wait for each other, and nothing is lost."""

import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts.models import Action, Event, Operation, OperationState
from accounts.services import evidence, operations
from accounts.services.unit_of_work import unit_of_work
from accounts.tests.side_by_side import side_by_side
from deals.models import Client, Deal
from deals.services.clients import edit_client
from deals.services.deals import create_deal, edit_deal
from deals.services.hand_over import hand_over_deal
from deals.tests.making import ADDRESS, by, make_deal
from deals.tests.programs import Program
from deals.tests.test_bulk import bulk, new_deal, statuses
from deals.tests.test_races import at_once
from lk_site.deadlocks import Busy, begun_again

pytestmark = pytest.mark.django_db(transaction=True)


def notes_on(deals: Sequence[Deal]) -> list[dict[str, Any]]:
    return [{"do": "add_note", "id": str(deal.pk), "text": "Позвонить"} for deal in deals]


def edits_of(deals: Sequence[Deal], version: int = 1, price: str = "5.00") -> list[dict[str, Any]]:
    return [{"do": "edit", "id": str(deal.pk), "version": version, "price": price} for deal in deals]


@pytest.mark.parametrize("options", [{}, {"atomic": True}, {"key": True}])
def test_bulks_over_the_same_rows_in_opposite_orders_never_deadlock(anna, vera, options):
    deals = [make_deal(anna, f"791600000{last:02}") for last in range(20)]
    callers = [Program(who) for who in (anna, vera) * 3]

    def ask(number: int) -> dict[str, Any]:
        order = deals if number % 2 else deals[::-1]
        key = f"key {number}" if options.get("key") else ""
        return bulk(callers[number], *edits_of(order), *notes_on(order), atomic="atomic" in options, key=key)

    answers = side_by_side(6, ask)
    won = [sum(status == 200 for status in statuses(answer)) for answer in answers]
    assert sum(won) == 20, won
    assert set(Deal.objects.values_list("version", flat=True)) == {2}
    assert Event.objects.filter(action=Action.DEAL_CHANGED).count() == 20
    assert {flaw for _, flaw in evidence.verify()} == {None}


def test_a_bulk_and_single_operations_never_deadlock(anna, vera, boris):
    deals = [make_deal(anna, f"791600000{last:02}") for last in range(8)]
    backwards, head = deals[::-1], by(vera)
    caller = Program(vera)

    def in_bulk() -> Any:
        items = [new_deal("79031112233"), *edits_of(backwards), *notes_on(backwards)]
        return bulk(caller, *items, atomic=True)

    def hand_over() -> Any:
        return hand_over_deal(deals[3].pk, boris.pk, actor=head, version=1)

    def edit_the_client() -> Any:
        return edit_client(deals[5].client_id, {"phones": ["79998887766"]}, actor=by(anna), version=1)

    def create() -> Any:
        return create_deal(property_address=ADDRESS, price=Decimal(100), client_phone="79160000004", actor=by(anna))

    def edit() -> Any:
        return edit_deal(deals[0].pk, {"price": 7}, actor=by(anna), version=1)

    results = at_once(in_bulk, hand_over, edit_the_client, create, edit)
    assert {type(result).__name__ for result in results} <= {"dict", "Deal", "Client", "Stale"}
    assert {flaw for _, flaw in evidence.verify()} == {None}
    numbers = Deal.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, len(numbers) + 1))


def test_bulks_that_create_for_the_same_numbers_share_the_clients(anna, vera):
    phones = [f"791600000{last:02}" for last in range(10)]
    callers = [Program(anna) for _one in range(4)]

    def ask(number: int) -> dict[str, Any]:
        order = phones if number % 2 else phones[::-1]
        return bulk(callers[number], *[new_deal(phone) for phone in order], atomic=bool(number % 3))

    answers = side_by_side(4, ask)
    assert {status for answer in answers for status in statuses(answer)} == {201}
    assert (Client.objects.count(), Deal.objects.count()) == (10, 40)
    assert sorted(Deal.objects.values_list("number", flat=True)) == list(range(1, 41))


def test_a_dozen_with_one_key_are_done_once(anna):
    callers = [Program(anna) for _one in range(12)]  # the limit of bulks
    items = [new_deal(f"791600000{last:02}") for last in range(5)]

    def ask(number: int) -> Any:
        return callers[number].post("/deals/bulk", {"items": items}, key="one")

    answers = side_by_side(12, ask)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert Deal.objects.count() == 5


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer: nobody waits for another")
class TestDeadlocks:
    def meeting_halfway(self, deals: list[Deal], barrier: threading.Barrier) -> Callable[[int], int]:
        """Return what locks two deals in opposite orders, and meets the other one in between the first time."""
        tries = [0, 0]

        @begun_again
        @unit_of_work
        def crossing(number: int) -> int:
            tries[number] += 1
            order = deals if number else deals[::-1]
            Deal.objects.lock(order[0].pk)
            if tries[number] == 1:
                barrier.wait(10)
            Deal.objects.lock(order[1].pk)
            return tries[number]

        return crossing

    def test_one_that_the_database_ended_begins_again(self, anna):
        deals = [make_deal(anna, f"7916000000{last}") for last in range(2)]
        assert max(side_by_side(2, self.meeting_halfway(deals, threading.Barrier(2)))) == 2

    def test_one_that_is_ended_twice_is_told_to_ask_again(self, anna):
        first, second = (make_deal(anna, f"7916000000{last}") for last in range(2))
        others, tries = [], []

        @begun_again
        @unit_of_work
        def crossing() -> None:
            tries.append(1)
            Deal.objects.lock(first.pk)
            others.append(crossed_by_another(second, first))
            Deal.objects.lock(second.pk)

        with pytest.raises(Busy):
            crossing()
        for other in others:
            other.join()
        assert (len(tries), Busy.status, Busy.retry_after) == (2, 409, 1)


def crossed_by_another(held: Deal, wanted: Deal) -> threading.Thread:
    """Let another transaction lock a deal, and want ours once we wait for its: the first to wait is ended."""
    holds = threading.Event()

    def cross() -> None:
        try:
            with unit_of_work():
                Deal.objects.lock(held.pk)
                holds.set()
                while not somebody_waits():
                    pass
                Deal.objects.lock(wanted.pk)
        finally:
            connection.close()

    other = threading.Thread(target=cross)
    other.start()
    assert holds.wait(10)
    return other


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        here = "datname = current_database() AND wait_event_type = 'Lock'"
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {here}")
        return bool(cursor.fetchone()[0])


# --- workers


def test_many_workers_do_each_operation_once(anna):
    api = Program(anna)
    for number in range(8):
        items = [new_deal(f"791600{number:02}{last:03}") for last in range(3)]
        assert api.post("/deals/bulk", {"items": items}, Prefer="respond-async").status_code == 202
    while sum(side_by_side(4, lambda number: operations.run_next())):
        pass
    assert set(Operation.objects.values_list("state", "attempts")) == {(OperationState.DONE, 1)}
    assert Deal.objects.count() == 24
    assert {flaw for _, flaw in evidence.verify()} == {None}
