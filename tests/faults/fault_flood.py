"""Ten thousand login requests as fast as they come, and a Monday morning of 3,000 agents behind one address."""

import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings

from deploy.tests.nginx import wait_until
from faults import table
from faults.conftest import be_able
from faults.people import Person
from faults.stack import BACK_WITHIN_S, Stack, running
from faults.writers import Answer, Browser

REQUESTS = int(os.environ.get("FAULTS_REQUESTS") or 10_000)
AGENTS = int(os.environ.get("FAULTS_AGENTS") or 3_000)
OFFICE = "127.9.0.1"
CALLERS = 12
UNKNOWN = "SELECT count(*) FROM accounts_smsmessage WHERE address <<= '127.8.0.0/16'"


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: Any) -> Iterator[Stack]:
    """A stack that knows one office."""
    be_able()
    folder = tmp_path_factory.mktemp("besieged")
    office = {"LK_OFFICE_SOURCES": f"{OFFICE}/32"}
    with running(folder, office, people=12, static=settings.STATIC_ROOT, office=OFFICE) as up:
        yield up


def test_ten_thousand_login_requests_leave_the_caps_exact_and_people_served(besieged: Stack):
    """From 400 sources of 20 networks, each request for another unknown phone."""
    numbers = itertools.count()
    with besieged.trial(f"{REQUESTS} login requests", writers=2) as trial:

        def ask(caller: int) -> Counter[int]:
            found: Counter[int] = Counter()
            nobody = Person("", "", "c" * 32, "")
            windows = [Browser(besieged.front, nobody, f"127.8.{net}.{caller + 1}") for net in range(20)]
            for turn in range(REQUESTS // CALLERS):
                phone = f"79{next(numbers) * 10_007 % 10**9:09}"
                answer = windows[turn % 20].send("POST", "/auth/send-code", {"phone": phone})
                found[answer.status] += 1
            for window in windows:
                window.close()
            return found

        began = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as pool:
            statuses = sum(pool.map(ask, range(CALLERS)), Counter())
        took = time.monotonic() - began
        trial.over()
    sent = int(besieged.cluster.sql(UNKNOWN))
    table.note(f"{REQUESTS} login requests: {took:.0f} s, {dict(statuses)}, {sent} codes")
    assert set(statuses) <= {202, 302, 429, 503}
    assert sent == min(settings.LIMITS["code.sends.unknown.hour"][0], CALLERS * 20 * 10)
    assert set(trial.load.statuses) <= {200, 201, 302, 503}


def test_an_office_of_three_thousand_agents_logs_in_from_one_address(besieged: Stack):
    agents = besieged.add_people(AGENTS)
    began = time.monotonic()
    with besieged.trial(f"{AGENTS} known agents log in from one address", writers=2) as trial:
        with ThreadPoolExecutor(CALLERS) as pool:
            answers = Counter(pool.map(lambda agent: logged_in(besieged, agent), agents))
        trial.over()
    table.note(f"{AGENTS} logins from one address: {time.monotonic() - began:.0f} s")
    assert answers == {200: AGENTS}


def logged_in(stack: Stack, agent: Person) -> int:
    """Ask for a code and give it, from a browser that has never been here; return the last status."""
    browser = Browser(stack.front, Person(agent.phone, "", agent.csrf, ""), OFFICE)
    try:
        asked = until_taken(lambda: browser.send("POST", "/auth/send-code", {"phone": agent.phone}))
        if asked.status != 202:
            return asked.status
        cookies = SimpleCookie("; ".join(asked.headers.get_all("Set-Cookie", []) if asked.headers else []))
        browser.headers["Cookie"] += f"; __Host-lk-challenge={cookies['__Host-lk-challenge'].value}"
        wait_until(lambda: bool(stack.gateway.texts_to(agent.phone)), 120)
        code = re.findall(r"#([0-9]{6})", stack.gateway.texts_to(agent.phone)[-1])[0]
        given = {"phone": agent.phone, "code": code}
        return until_taken(lambda: browser.send("POST", "/auth/verify-code", given)).status
    finally:
        browser.close()


def until_taken(ask: Any) -> Answer:
    """Ask again where nobody could answer just now, as people do."""
    end = time.monotonic() + 6 * BACK_WITHIN_S
    answer: Answer = ask()
    while answer.status in (0, 429, 503) and time.monotonic() < end:
        time.sleep(1)
        answer = ask()
    return answer
