"""The SMS gateway is slow, fails, lies and loses its answers, and the worker is killed: every code arrives."""

import time
from collections import Counter

from deploy.tests.nginx import wait_until
from faults.people import Person
from faults.stack import Stack, Trial

AGENTS = 16


class Codes:
    """Agents of their own, who ask for codes while others write."""

    def __init__(self, stack: Stack, trial: Trial) -> None:
        self.stack, self.trial = stack, trial
        self.people = stack.add_people(AGENTS)
        self.already = len(stack.gateway.messages)

    def ask(self) -> None:
        """Let each ask for a code; every request is acknowledged with 202."""
        for number, person in enumerate(self.people):
            browser = self.trial.load.browser(Person(person.phone, "", person.csrf, person.device), f"127.0.8.{number}")
            body = {"phone": person.phone}
            asked = self.trial.load.sender(lambda _n: browser.send("POST", "/auth/send-code", body))  # noqa: B023
            assert asked(0).status == 202

    @property
    def arrived(self) -> Counter[str]:
        """How often a message came to each of these phones."""
        ours = {person.phone for person in self.people}
        return Counter(kept.phone for kept in self.stack.gateway.messages[self.already :] if kept.phone in ours)

    def wait_for_all(self, seconds: float) -> float:
        """Wait until every code has arrived, and return how long that took."""
        began = time.monotonic()
        wait_until(lambda: len(self.arrived) == AGENTS, seconds)
        wait_until(lambda: self.stack.unsent == 0, seconds)
        return time.monotonic() - began

    def are_sent_again_with_their_id(self) -> int:
        """Return how many messages were handed over more than once; each time as the same message."""
        kept = self.stack.gateway.messages[self.already :]
        ids = {(one.phone, one.idempotency_key) for one in kept}
        assert Counter(phone for phone, _id in ids).most_common(1)[0][1] == 1
        return len(kept) - len(ids)


def test_a_slow_gateway_keeps_nobody_waiting(stack: Stack):
    with stack.trial(f"SMS gateway answers after 6 s, {AGENTS} codes", writers=2) as trial:
        codes = Codes(stack, trial)
        stack.gateway.delay_s = 6
        codes.ask()
        codes.wait_for_all(60)
        stack.gateway.delay_s = 0
        trial.over()
        assert (codes.are_sent_again_with_their_id(), trial.load.last_trouble) == (0, 0.0)


def test_a_failing_gateway_is_asked_again_until_it_takes_the_code(stack: Stack):
    with stack.trial(f"SMS gateway answers 503 and 500, {AGENTS} codes", writers=2) as trial:
        codes = Codes(stack, trial)
        stack.gateway.http.extend([503, 500] * AGENTS)
        codes.ask()
        trial.over()
        codes.wait_for_all(60)
        assert codes.are_sent_again_with_their_id() == 0


def test_an_error_inside_of_a_200_is_seen(stack: Stack):
    with stack.trial(f"SMS gateway answers 200 with an error inside, {AGENTS} codes", writers=2) as trial:
        codes = Codes(stack, trial)
        stack.gateway.whole.extend([220] * (AGENTS // 2))
        for person in codes.people:
            stack.gateway.answers[person.phone].append(500)
        codes.ask()
        trial.over()
        codes.wait_for_all(60)
        assert codes.are_sent_again_with_their_id() == 0


def test_a_gateway_that_loses_its_answer_is_told_the_same_message_again(stack: Stack):
    with stack.trial(f"SMS gateway accepts and loses its answer, {AGENTS} codes", writers=2) as trial:
        codes = Codes(stack, trial)
        stack.gateway.swallow = AGENTS // 2
        codes.ask()
        trial.over()
        codes.wait_for_all(60)
        assert 0 < codes.are_sent_again_with_their_id() <= AGENTS // 2


def test_a_worker_killed_while_it_sends_loses_no_code(stack: Stack):
    with stack.trial(f"a worker killed while it sends, {AGENTS} codes", writers=2) as trial:
        codes = Codes(stack, trial)
        stack.gateway.delay_s = 3
        codes.ask()
        wait_until(lambda: stack.gateway.requests[-1].get("to") in {person.phone for person in codes.people}, 60)
        stack.workers[0].kill()
        stack.gateway.delay_s = 0
        trial.over()
        codes.wait_for_all(120)
        codes.are_sent_again_with_their_id()
