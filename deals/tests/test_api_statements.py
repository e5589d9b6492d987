"""How many statements the hot operations cost (performance.md). Savepoints and transaction control are not counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deals.services.looks import look_at
from deals.tests.making import OTHER_PHONE, by, make_client, make_deal
from deals.tests.programs import CREATED, Program

CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "PRAGMA")


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Fail with the statements if there are more than `count`."""
    with CaptureQueriesContext(connection) as captured:
        yield
    statements = [query["sql"] for query in captured if not query["sql"].upper().startswith(CONTROL)]
    assert len(statements) <= count, f"{len(statements)}:\n" + "\n".join(statements)


@pytest.fixture
def api(anna) -> Program:
    return Program(anna)


@pytest.fixture
def deals(anna) -> list[Any]:
    return [make_deal(anna, f"791600000{n:02}", client_name="Мария", notes="x") for n in range(25)]


@pytest.mark.parametrize("query", [{}, {"status": "open", "kind": "sale"}, {"q": "тверская"}, {"trashed": "true"}])
def test_a_list_takes_three_statements_at_most(api, deals, query):
    with at_most(3):
        api.get("/deals/", query)


def test_its_next_page_does_too(api, deals):
    cursor = api.get("/deals/").json()["next_cursor"]
    with at_most(3):
        assert len(api.get("/deals/", {"cursor": cursor}).json()["items"]) == 5


def test_a_list_of_clients_takes_three(api, deals):
    with at_most(3):
        assert len(api.get("/clients/").json()["items"]) == 20


def test_a_detail_takes_two_when_this_hours_look_is_recorded(api, anna, deals):
    look_at(deals[0].client, actor=by(anna))
    with at_most(2):
        assert api.get(f"/deals/{deals[0].pk}").json()["client_phone"]


def test_a_detail_takes_eight_at_the_first_look(api, deals):
    with at_most(8):
        assert api.get(f"/deals/{deals[0].pk}").json()["client_phone"]


def test_a_card_of_a_client_takes_four_and_nine(api, anna):
    client = make_client(anna)
    with at_most(9):
        assert api.get(f"/clients/{client.pk}").json()["phones"]
    with at_most(4):
        assert api.get(f"/clients/{client.pk}").json()["phones"]


def test_creating_for_a_new_client_with_a_key_takes_fourteen(api, deals):
    with at_most(14):
        response = api.post("/deals/", CREATED | {"client_name": "Пётр Сидоров", "notes": "x"}, key="k1")
    assert response.status_code == 201


def test_creating_for_a_known_client_with_a_key_takes_fourteen(api, anna):
    make_client(anna, OTHER_PHONE, name="Пётр")
    with at_most(14):
        assert api.post("/deals/", CREATED | {"client_phone": OTHER_PHONE}, key="k1").status_code == 201


def test_the_pipelines_take_four(api):
    with at_most(4):
        api.get("/pipelines")


def test_the_timeline_takes_nine_however_long_it_is(api, deals):
    path = f"/deals/{deals[0].pk}"
    for number in range(30):
        api.post(f"{path}/notes", {"text": str(number)})
    with at_most(9):
        assert len(api.get(f"{path}/timeline", {"limit": "100"}).json()["items"]) == 31
