"""docs/recipes/telephone-exchange.md, run as a stranger runs it: who calls is named, and a call is noted once."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from deals.models import Note
from deals.services.deals import trash_deal
from deals.services.pipeline import move_deal
from deals.tests.making import OTHER_PHONE, PHONE, by, make_client, make_deal
from lk_site.tests.recipes.pages import Program, Stranger

EXAMPLE_ADDRESS = "http://127.0.0.1:8118/calls"
UNKNOWN = {"known": False, "name": None, "agent": None, "deal": None}


class Exchange:
    """The exchange, and the program that it reports calls to."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.url = program.says(r"calls: (http\S+)")[1]

    def report(self, number: str, call_id: str = "1764000000.42", **more: str) -> tuple[int, Any]:
        answer = httpx.post(self.url, data={"call_id": call_id, "number": number, **more}, timeout=60)
        return answer.status_code, answer.json()

    def told(self, number: str, call_id: str = "1764000000.42", **more: str) -> Any:
        status, told = self.report(number, call_id, **more)
        assert status == 200, told
        return told


@pytest.fixture
def desk(stranger: Callable[..., Stranger]) -> Stranger:
    return stranger("recipes/telephone-exchange.md", PORT="0")


@contextmanager
def answering_calls(desk: Stranger, lk_url: str = "") -> Iterator[Exchange]:
    with desk.running("run", LK_URL=lk_url or desk.environment["LK_URL"]) as program:
        yield Exchange(program)


def test_the_story_of_the_page_names_the_client_and_notes_the_call(desk, anna):
    deal = make_deal(anna, PHONE, client_name="Мария Петрова")
    with answering_calls(desk) as exchange:
        told = json.loads(desk.bash("try", {EXAMPLE_ADDRESS: exchange.url}).stdout)
    assert told == {"known": True, "name": "Мария Петрова", "agent": "Анна Агеева", "deal": 1}
    note = Note.objects.get(key__name="telephone-exchange")
    assert (note.deal_id, note.author_id) == (deal.pk, None)


@pytest.mark.parametrize("spelling", ["89161234567", "+79161234567", "9161234567", "8 (916) 123-45-67"])
def test_a_number_is_found_however_the_line_spells_it(desk, anna, spelling):
    make_deal(anna, PHONE, client_name="Мария Петрова")
    with answering_calls(desk) as exchange:
        assert exchange.told(spelling)["deal"] == 1


def test_the_newest_open_deal_of_all_agents_gets_the_note(desk, vera, anna):
    make_deal(anna, PHONE, client_name="Мария Петрова")
    newest_open = make_deal(vera, PHONE, client_name="Мария")
    closed = make_deal(anna, PHONE)
    move_deal(closed.pk, "won", actor=by(anna), version=1)
    trashed = make_deal(anna, PHONE)
    trash_deal(trashed.pk, actor=by(anna), version=1)
    with answering_calls(desk) as exchange:
        assert exchange.told(PHONE) == {"known": True, "name": "Мария", "agent": "Вера Власова", "deal": 2}
    assert Note.objects.get().deal_id == newest_open.pk


def test_a_call_reported_twenty_times_at_once_is_one_note(desk, anna):
    make_deal(anna, PHONE)
    with answering_calls(desk) as exchange, ThreadPoolExecutor(20) as reports:
        told = list(reports.map(lambda _: exchange.report(PHONE), range(20)))
        assert exchange.told(PHONE, call_id="another")["deal"] == 1
    assert {status for status, _ in told} <= {200, 503}
    assert Note.objects.count() == 2


def test_a_call_reported_again_after_its_deal_was_closed_stays_one_note(desk, anna):
    make_deal(anna, PHONE)
    noted = make_deal(anna, PHONE)
    with answering_calls(desk) as exchange:
        assert exchange.told(PHONE)["deal"] == 2
        move_deal(noted.pk, "won", actor=by(anna), version=1)
        assert exchange.told(PHONE, line="+7 495 123-45-67")["deal"] == 1
    assert Note.objects.count() == 1


def test_unknown_hidden_and_inner_numbers_leave_nothing(desk, anna):
    make_deal(anna, PHONE)
    with answering_calls(desk) as exchange:
        for number in (OTHER_PHONE, "anonymous", "101", "", "'; drop table deal"):
            assert exchange.told(number) == UNKNOWN
        assert exchange.report(PHONE, call_id="")[0] == 400
    assert Note.objects.count() == 0


def test_a_client_without_an_open_deal_is_named(desk, anna):
    make_client(anna, PHONE, name="Мария Петрова")
    with answering_calls(desk) as exchange:
        told = exchange.told(PHONE)
    assert told == {"known": True, "name": "Мария Петрова", "agent": "Анна Агеева", "deal": None}


def test_without_lk_the_exchange_is_told_at_once_and_no_number_is_printed(desk, anna):
    with answering_calls(desk, "http://127.0.0.1:9") as exchange:
        assert exchange.report(PHONE) == (503, {"error": "LK does not answer"})
        exchange.program.says("call 1764000000.42: No answer")
        assert PHONE not in "".join(exchange.program.said)
