"""docs/recipes/web-form-leads.md, run as a stranger runs it: a form's lead is one deal, and no lead is lost."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from accounts.services import keys
from accounts.tests.programs import confirmed
from deals.models import Client, Deal
from lk_site.tests.recipes.pages import Program, Stranger

EXAMPLE_AGENT = "0198f3c2-7d4e-7a10-9c55-3b1de2a4f6b8"
EXAMPLE_ADDRESS = "http://127.0.0.1:8117/leads"
FORM = {
    "form_id": "5b0e6a55-2a4e-4a39-8a39-5f3f5c3c9b51",
    "name": "Мария Петрова",
    "phone": "8 (916) 123-45-67",
    "address": "Москва, Тверская ул., 12",
    "price": "12 500 000,50 ₽",
    "message": "Звоните после шести",
}
NOBODY = "http://127.0.0.1:9"  # nothing listens on the discard port


class Form:
    """The site's form, and the program that it is sent to."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.url = program.says(r"leads: (http\S+)")[1]

    def send(self, **changes: str) -> tuple[int, Any]:
        answer = httpx.post(self.url, data={**FORM, **changes}, timeout=60)
        return answer.status_code, answer.json()


@pytest.fixture
def site(stranger: Callable[..., Stranger]) -> Stranger:
    return stranger("recipes/web-form-leads.md", PORT="0")


@contextmanager
def taking_leads(site: Stranger, agent: Any = None, **environment: str) -> Iterator[Form]:
    with site.running("run", {EXAMPLE_AGENT: str(agent.pk)} if agent else {}, **environment) as program:
        yield Form(program)


def test_the_story_of_the_page_makes_one_deal_however_often_it_is_told(site, anna):
    agents = json.loads(site.bash("agents").stdout)["items"]
    assert str(anna.pk) in {agent["id"] for agent in agents}
    with taking_leads(site, anna) as form:
        told = [json.loads(site.bash("try", {EXAMPLE_ADDRESS: form.url}).stdout) for _ in range(2)]
    assert told == [{"deal": 1}, {"deal": 1}]
    deal = Deal.objects.get()
    assert (deal.agent_id, int(deal.price), deal.notes) == (anna.pk, 12_500_000, "Звоните после шести")
    assert deal.client.name == "Мария Петрова"
    assert deal.next_step_text == "Позвонить: заявка с сайта"


def test_twenty_clicks_are_one_deal(site, anna):
    with taking_leads(site, anna) as form, ThreadPoolExecutor(20) as clicks:
        told = list(clicks.map(lambda _: form.send(), range(20)))
    assert {told_deal["deal"] for status, told_deal in told if status == 201} == {1}
    assert Deal.objects.count() == 1


def test_a_number_known_under_another_name_is_a_deal_for_that_client(site, anna):
    with taking_leads(site, anna) as form:
        form.send(form_id="the-first-form")
        told = [form.send(name="Маша", message="Срочно") for _ in range(2)]
    assert told == [(201, {"deal": 2})] * 2
    assert Client.objects.get().name == "Мария Петрова"
    assert Deal.objects.get(number=2).notes == "В заявке: Маша, 8 (916) 123-45-67\nСрочно"


def test_what_the_visitor_typed_wrong_is_told_to_him_and_he_may_send_it_again(site, anna):
    with taking_leads(site, anna) as form:
        status, told = form.send(phone="12", price="много")
        assert (status, set(told["errors"])) == (422, {"phone", "price"})
        assert form.send() == (201, {"deal": 1})
        assert form.send(form_id="")[0] == 400


def test_a_lead_waits_while_lk_is_away_and_survives_a_power_cut(site, anna):
    with taking_leads(site, anna, LK_URL=NOBODY) as form:
        assert form.send() == (202, {"deal": None})
        assert form.send() == (202, {"deal": None})
    with taking_leads(site, anna) as form:
        form.program.says(rf"lead {FORM['form_id']} is deal 1")
        assert form.send() == (201, {"deal": 1})
    assert Deal.objects.count() == 1


def test_a_lead_is_not_lost_with_its_key_or_its_agent(site, anna, vera):
    with taking_leads(site) as form:
        assert form.send() == (202, {"deal": None})
    for key in keys.keys_of(confirmed(vera)):
        keys.revoke_key(key.pk, actor=confirmed(vera))
    with taking_leads(site, anna) as form:
        form.program.says("waits: .*401")
        assert form.send(form_id="another-form") == (202, {"deal": None})
    assert Deal.objects.count() == 0


def test_what_lk_has_is_wiped_here(site, anna):
    with taking_leads(site, anna) as form:
        form.send()
    file = site.folder / "leads.sqlite3"
    assert file.stat().st_mode & 0o077 == 0
    assert "123-45-67" not in file.read_bytes().decode("latin-1")


def test_one_call_of_curl_does_the_same(site, anna):
    site.environment["LK_AGENT"] = str(anna.pk)
    made = [json.loads(site.bash("curl").stdout)["id"] for _ in range(2)]
    assert made == [str(Deal.objects.get().pk)] * 2
