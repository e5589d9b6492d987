"""SECURITY.md: every threat names what stands against it and the tests of that, and each named test exists."""

import re

import pytest
from django.conf import settings as configured

from accounts.actor import Actor
from accounts.models import Role, Scope
from accounts.services import agencies
from accounts.tests.clock import clock
from accounts.tests.logging_in import ANNA, known_phone, send, sent_code, sent_codes, verify
from accounts.tests.people import make_agent
from accounts.tests.programs import make_key, program
from deals.models import Deal
from deals.tests.making import make_deal
from lk_site.serve import ROOT
from lk_site.tests.test_security_numbers import names_of_tests

__all__ = ["clock"]
MODEL = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
THREATS = [
    line for line in MODEL.partition("## Threats")[2].partition("## What remains")[0].splitlines() if "|" in line
]
ROWS = [line for line in THREATS if not line.startswith(("| threat", "|---"))]
NAMED = re.compile(r"`(test_\w+)`")


def test_every_test_that_the_model_names_exists():
    assert len(NAMED.findall(MODEL)) > 100
    assert sorted(set(NAMED.findall(MODEL)) - names_of_tests()) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_threat_has_something_against_it_and_a_test(row: str):
    _, threat, against, tests, _ = (cell.strip() for cell in row.split("|"))
    assert threat
    assert against
    assert NAMED.findall(tests)


# --- what remains, as bounded as the model says


@pytest.mark.django_db
def test_who_spends_the_budget_of_known_phones_delays_new_browsers_alone(clock, settings):
    settings.KNOWN_BUDGET_AGENTS_AT_LEAST = 1
    make_agent(phone=ANNA)
    sent = send()
    opened = verify(sent_code(ANNA), sent.challenge_token)
    assert opened is not None
    for phone in [known_phone() for _ in range(4)]:
        for _ in range(3):
            send(phone)
            clock.forward(minutes=3)
    sent_codes(ANNA)
    send()
    assert sent_codes(ANNA) == []
    sent = send(device=opened.device_cookie)
    assert verify(sent_code(ANNA), sent.challenge_token) is not None


@pytest.mark.django_db
def test_a_key_that_writes_deals_can_ask_whether_an_agent_knows_a_number():
    """Of its own agency alone, and six hundred numbers a minute at most."""
    own, other = (agencies.add_agency(name, actor=Actor.system()) for name in ("Ключ", "Свой угол"))
    vera, anna, gleb = make_agent(own, "Вера Власова", role=Role.HEAD), make_agent(own), make_agent(other)
    make_deal(anna, "79031112233", client_name="Мария")
    make_deal(gleb, "79031112244", client_name="Мария")
    asks = program(make_key(vera, [Scope.DEALS_WRITE]).token)
    items = [
        {
            "do": "create",
            "agent": str(anna.pk),
            "client_phone": phone,
            "client_name": "x",
            "property_address": "А",
            "price": "1",
        }
        for phone in ("79031112233", "79031112244")
    ]
    told = asks.post("/api/v1/deals/bulk", {"dry_run": True, "items": items}, content_type="application/json").json()
    assert [item["status"] for item in told["items"]] == [409, 201]
    assert "Мария" not in str(told)
    assert Deal.objects.count() == 2
    bulks, seconds = configured.LIMITS["bulk"]
    assert bulks * 100 * 60 / seconds == 600
