"""Many at once: guesses, right codes, requests. Real threads on real connections, whatever the database."""

import threading
import time
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.actor import Actor
from accounts.models import Action, Challenge, Counter, Event, IdempotencyKey, Session, SmsMessage, User
from accounts.services import codes, sessions
from accounts.services.idempotency import Answer, answer_once
from accounts.services.unit_of_work import record
from accounts.tests.logging_in import (
    ANNA,
    STRANGER,
    ask_for_code,
    give_code,
    other_than,
    send,
    sent_code,
    sent_codes,
    verify,
)
from accounts.tests.people import make_agent
from accounts.tests.side_by_side import THREADS, side_by_side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def looks(monkeypatch) -> list[str]:
    """The codes that were compared with a stored one."""
    seen: list[str] = []
    plain = codes.is_right

    def watched(challenge: Challenge, phone: str, code: str) -> bool:
        seen.append(code)
        return plain(challenge, phone, code)

    monkeypatch.setattr(codes, "is_right", watched)
    return seen


def test_200_parallel_guesses_get_exactly_five_looks(looks):
    make_agent(phone=ANNA)
    token = send().challenge_token
    code = sent_code(ANNA)
    assert side_by_side(200, lambda number: verify(other_than(code, number=number), token)) == [None] * 200
    assert len(looks) == 5
    assert Challenge.objects.get().attempts == 5
    assert verify(code, token) is None, "the right code comes too late"


def test_200_parallel_guesses_at_the_door_get_exactly_five_looks(looks):
    make_agent(phone=ANNA)
    first = Client()
    ask_for_code(first)
    code = sent_code(ANNA)
    callers = [Client() for _ in range(THREADS)]
    for caller in callers:
        caller.cookies = first.cookies

    def guess(number: int) -> int:
        answer = give_code(callers[number % THREADS], ANNA, other_than(code, number=number))
        return int(answer.status_code)

    assert set(side_by_side(200, guess)) == {400}
    assert len(looks) == 5


def test_50_parallel_right_codes_open_one_session():
    make_agent(phone=ANNA)
    token = send().challenge_token
    code = sent_code(ANNA)
    opened = [found for found in side_by_side(50, lambda number: verify(code, token)) if found]
    assert len(opened) == 1
    assert Session.objects.count() == 1


def test_50_parallel_first_codes_of_one_phone_open_one_agency():
    token = send(STRANGER).challenge_token
    code = sent_code(STRANGER)
    opened = [found for found in side_by_side(50, lambda number: verify(code, token, phone=STRANGER)) if found]
    assert len(opened) == 1
    assert User.objects.agents().count() == 1


def test_parallel_requests_for_a_phone_send_one_code():
    make_agent(phone=ANNA)
    answers = side_by_side(30, lambda number: send())
    assert {answer.resend_after_s for answer in answers} <= {59, 60}
    assert len({answer.challenge_token for answer in answers}) == 30
    assert SmsMessage.objects.count() == 1
    assert Challenge.objects.exclude(code_digest=None).count() == 1


def test_parallel_resends_of_a_browser_send_one_code():
    make_agent(phone=ANNA)
    token = send().challenge_token
    Challenge.objects.update(resend_at="2020-01-01T00:00:00Z")
    Counter.objects.all().delete()
    side_by_side(30, lambda number: send(token=token))
    assert Challenge.objects.get().sends == 2
    assert SmsMessage.objects.count() == 2


def test_a_phone_gets_no_more_looks_through_many_browsers(looks):
    make_agent(phone=ANNA)
    tokens = []
    for _ in range(3):
        tokens.append(send().challenge_token)
        Counter.objects.all().delete()
    guess = other_than(*sent_codes(ANNA))
    side_by_side(60, lambda number: verify(guess, tokens[number % 3]))
    assert len(looks) == 10, "ten failures an hour lock the phone"


def test_a_source_gets_twenty_looks_for_all_phones(looks):
    tokens = {}
    for number in range(10):
        phone = f"7916200000{number}"
        make_agent(phone=phone)
        tokens[phone] = send(phone).challenge_token
    phones = list(tokens)
    Challenge.objects.update(code_digest=b"no code has this digest")
    side_by_side(100, lambda number: verify("000000", tokens[phones[number % 10]], phone=phones[number % 10]))
    assert len(looks) == 20


def test_refused_tries_leave_one_event_for_each_source():
    make_agent(phone=ANNA)
    token = send().challenge_token
    guess = other_than(sent_code(ANNA))
    side_by_side(30, lambda number: verify(guess, token))
    assert Event.objects.filter(action="login.failed").count() == 1


@pytest.fixture
def slowly_opened(monkeypatch) -> threading.Event:
    """Tells when a login holds its person, which it then does for a while."""
    held = threading.Event()
    plain = sessions.open_session

    def slow(*args, **kwargs) -> sessions.OpenSession:
        held.set()
        time.sleep(0.5)
        return plain(*args, **kwargs)

    monkeypatch.setattr(sessions, "open_session", slow)
    return held


def test_who_logs_in_stands_in_the_way_of_nothing_that_he_writes_elsewhere(slowly_opened):
    """What refers to a person is checked as its transaction commits, when that holds the numbers of the agency."""
    anna = make_agent(phone=ANNA)
    token = send().challenge_token
    code = sent_code(ANNA)

    def write() -> Answer:
        slowly_opened.wait()
        return answer_once("POST x", "key", b"", actor=Actor.of(anna), effect=noted)

    def noted() -> Answer:
        record(Actor.of(anna), Action.PROFILE_CHANGED, anna)
        return Answer(204)

    calls: list[Callable[[], object]] = [lambda: verify(code, token), write]
    assert all(side_by_side(2, lambda number: calls[number]()))
    assert (Session.objects.count(), IdempotencyKey.objects.count()) == (1, 1)
