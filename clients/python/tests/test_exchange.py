"""How a call goes through its tries."""

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from lk_client import ClientExists, LimitReached, NoAnswer, NotFound, ServerError, Stale, UnexpectedAnswer
from lk_client.calls import Answer, Call
from lk_client.exchange import Retries, exchange
from lk_client.reading import nothing

from .wire import UNANSWERED, UNSENT, WITHOUT_CHANCE, Driven, answer, problem

GET: Call[Any] = Call("GET", "/deals/1", Answer.json)
POST: Call[Any] = Call("POST", "/deals/", Answer.json, body={"price": "1"}, takes_key=True)
BARE_POST: Call[Any] = Call("POST", "/clients/1/reveal", Answer.json, body={})
PATCH: Call[Any] = Call("PATCH", "/deals/1", Answer.json, body={}, version=3, takes_key=True)
DELETE: Call[int | None] = Call("DELETE", "/deals/1", Answer.version, version=3)
DELETE_NOTE: Call[None] = Call("DELETE", "/deals/1/notes/2", nothing)
OK = answer(200, {"id": 1})
BROKEN = [problem(500, "server_error"), answer(502), problem(503, "unavailable"), answer(504)]


@pytest.mark.parametrize("trouble", [UNSENT, UNANSWERED, *BROKEN, problem(429, "too_often")])
@pytest.mark.parametrize("call", [GET, POST, PATCH], ids=lambda call: call.method)
def test_what_may_be_repeated_is_repeated(call: Call[Any], trouble: Any):
    driven = Driven(trouble, trouble, OK)
    assert driven.through(exchange(call, WITHOUT_CHANCE)) == {"id": 1}
    assert len(driven.sent) == 3


@pytest.mark.parametrize("trouble", [UNANSWERED, *BROKEN])
def test_a_post_without_idempotency_is_not_repeated_where_it_may_have_happened(trouble: Any):
    driven = Driven(trouble)
    with pytest.raises((NoAnswer, ServerError)):
        driven.through(exchange(BARE_POST, WITHOUT_CHANCE))
    assert len(driven.sent) == 1


@pytest.mark.parametrize("trouble", [UNSENT, problem(429, "too_often")])
def test_a_post_without_idempotency_is_repeated_where_it_surely_did_not_happen(trouble: Any):
    driven = Driven(trouble, OK)
    assert driven.through(exchange(BARE_POST, WITHOUT_CHANCE)) == {"id": 1}


def test_every_try_of_a_post_carries_the_same_key_that_the_client_made():
    driven = Driven(UNANSWERED, UNANSWERED, OK)
    driven.through(exchange(POST, WITHOUT_CHANCE))
    keys = {request.headers["Idempotency-Key"] for request in driven.sent}
    assert len(keys) == 1
    other = Driven(OK)
    other.through(exchange(POST, WITHOUT_CHANCE))
    assert other.sent[0].headers["Idempotency-Key"] not in keys


def test_a_key_of_the_caller_is_used_and_told_again_where_nothing_was_answered():
    call: Call[Any] = Call("POST", "/deals/", Answer.json, body={}, takes_key=True, idempotency_key="order-7")
    with pytest.raises(NoAnswer) as caught:
        Driven(*[UNANSWERED] * 4).through(exchange(call, WITHOUT_CHANCE))
    assert caught.value.idempotency_key == "order-7"
    assert "tried 4 times" in str(caught.value)


def test_where_the_service_is_broken_the_made_key_is_told_to_go_on_with():
    driven = Driven(*[problem(500, "server_error")] * 4)
    with pytest.raises(ServerError) as caught:
        driven.through(exchange(POST, WITHOUT_CHANCE))
    assert caught.value.idempotency_key == driven.sent[0].headers["Idempotency-Key"]


@pytest.mark.parametrize("code", ["not_found", "stale", "client_exists"])
def test_a_refusal_is_not_repeated(code: str):
    status = {"not_found": 404, "stale": 412, "client_exists": 409}[code]
    driven = Driven(problem(status, code))
    with pytest.raises((NotFound, Stale, ClientExists)):
        driven.through(exchange(POST, WITHOUT_CHANCE))
    assert driven.waited == []


@pytest.mark.parametrize("code", ["idempotency_key_in_progress", "busy"])
def test_what_is_in_the_way_for_a_moment_is_asked_again(code: str):
    driven = Driven(problem(409, code, {"retry_after": "2"}), OK)
    assert driven.through(exchange(POST, WITHOUT_CHANCE)) == {"id": 1}
    assert driven.waited == [3.0]


def test_pauses_double_up_to_the_longest_and_are_a_random_part():
    retries = Retries(times=5, first_s=1.0, longest_s=5.0, random=lambda: 1.0)
    driven = Driven(*[UNSENT] * 5, OK)
    driven.through(exchange(GET, retries))
    assert driven.waited == [1.0, 2.0, 4.0, 5.0, 5.0]
    halves = Driven(UNSENT, OK)
    halves.through(exchange(GET, Retries(first_s=1.0, random=lambda: 0.5)))
    assert halves.waited == [0.5]


def test_retry_after_is_waited_and_a_little_more():
    driven = Driven(problem(429, "too_often", {"retry_after": "30"}), OK)
    driven.through(exchange(GET, WITHOUT_CHANCE))
    assert driven.waited == [31.0]


def test_retry_after_may_be_a_date():
    then = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True)
    driven = Driven(problem(503, "unavailable", {"retry_after": then}), OK)
    driven.through(exchange(GET, WITHOUT_CHANCE))
    assert 50 < driven.waited[0] <= 61


def test_a_wait_beyond_patience_is_told_at_once():
    driven = Driven(problem(429, "limit_reached", {"retry_after": "1800"}))
    with pytest.raises(LimitReached) as caught:
        driven.through(exchange(GET, WITHOUT_CHANCE))
    assert caught.value.retry_after == 1800


def test_a_retry_after_that_cannot_be_read_is_none():
    driven = Driven(problem(503, "unavailable", {"retry_after": "soon"}), OK)
    driven.through(exchange(GET, WITHOUT_CHANCE))
    assert driven.waited == [1.0]


@pytest.mark.parametrize("call", [DELETE, DELETE_NOTE], ids=["deal", "note"])
@pytest.mark.parametrize("trouble", [UNANSWERED, problem(503, "unavailable")])
def test_what_a_lost_delete_does_not_find_again_is_deleted(call: Call[Any], trouble: Any):
    driven = Driven(trouble, problem(404, "not_found"))
    assert driven.through(exchange(call, WITHOUT_CHANCE)) is None


@pytest.mark.parametrize("trouble", [UNSENT, problem(429, "too_often")])
def test_what_was_never_there_is_not_deleted_because_of_a_retry(trouble: Any):
    with pytest.raises(NotFound):
        Driven(trouble, problem(404, "not_found")).through(exchange(DELETE, WITHOUT_CHANCE))


def test_a_delete_that_meets_another_version_after_a_lost_answer_is_stale():
    with pytest.raises(Stale) as caught:
        Driven(UNANSWERED, problem(412, "stale", current_version=5)).through(exchange(DELETE, WITHOUT_CHANCE))
    assert caught.value.current_version == 5


def test_a_delete_returns_the_version_in_the_trash():
    driven = Driven(answer(204, etag='"4.0123456789abcdef"'))
    assert driven.through(exchange(DELETE, WITHOUT_CHANCE)) == 4
    assert driven.sent[0].headers["If-Match"] == '"3"'


def test_headers_say_what_is_sent():
    driven = Driven(OK)
    driven.through(exchange(PATCH, WITHOUT_CHANCE))
    assert driven.sent[0].headers["Content-Type"] == "application/json"
    assert json.loads(driven.sent[0].content or b"") == {}
    bare = Driven(OK)
    bare.through(exchange(GET, WITHOUT_CHANCE))
    assert bare.sent[0].headers == {}


@pytest.mark.parametrize("body", [b"<html>", b""])
def test_an_answer_that_is_no_json_is_unexpected(body: bytes):
    with pytest.raises(UnexpectedAnswer):
        Driven(Answer(200, {}, body)).through(exchange(GET, WITHOUT_CHANCE))
