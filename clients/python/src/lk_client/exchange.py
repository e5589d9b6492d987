"""How a call goes through its tries, without doing anything itself: both clients drive this one generator.

It yields `Request` and `Pause`; a driver sends requests, waits pauses, and hands back what came of them.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from lk_client.calls import Answer, Call, Query
from lk_client.errors import LkError, NoAnswer, UnexpectedAnswer, problem_of, refusal

T = TypeVar("T")


@dataclass(frozen=True)
class Retries:
    """How often a call is tried again, and how long is waited between.

    `times` tries follow the first. Pauses double from `first_s` up to `longest_s`, each a random part of that, so that
    programs that failed together do not come back together. Where LK says `Retry-After`, that is waited, unless it is
    longer than `patience_s`: then the refusal is raised at once.
    """

    times: int = 4
    first_s: float = 0.5
    longest_s: float = 20.0
    patience_s: float = 130.0  # a whole window of the limits of a key is 120 s
    random: Callable[[], float] = field(default=random.random, repr=False)

    def pause(self, tried: int, retry_after: float | None) -> float | None:
        """Return seconds to wait after `tried` tries, None where it is time to give up."""
        if tried > self.times or (retry_after or 0) > self.patience_s:
            return None
        drawn = self.random() * min(self.longest_s, self.first_s * 2.0 ** (tried - 1))
        return drawn if retry_after is None else retry_after + min(drawn, 1.0)


PASSING = ("busy", "idempotency_key_in_progress")  # 409: others are at the same rows, or the first try still runs
STANDARD, NO_RETRIES = Retries(), Retries(times=0)


@dataclass(frozen=True)
class Request:
    """What a driver sends."""

    method: str
    path: str
    query: Query = field(repr=False)
    headers: Mapping[str, str]
    content: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Pause:
    """What a driver waits."""

    seconds: float


@dataclass(frozen=True)
class Lost:
    """No answer came. `was_sent` is False where the request surely never reached LK."""

    why: str
    was_sent: bool


Step = Request | Pause
Result = Answer | Lost | None
Steps = Generator[Step, Result, T]


def exchange(call: Call[T], retries: Retries) -> Steps[T]:
    """Send a call until it is answered; return what its answer says.

    Raises NoAnswer, UnexpectedAnswer, and the refusal of the last try. What LK refuses for a while (429) is always
    tried again; what may have happened already, only where twice is as good as once.
    """
    call = with_key(call)
    request, tried, was_lost = request_of(call), 0, False
    while True:
        tried += 1
        result = yield request
        if is_done(result) or (was_lost and is_gone(call, result)):
            return read(call, result)
        wait = retries.pause(tried, retry_after(result)) if may_repeat(call, result) else None
        if wait is None:
            raise failure(call, result, tried)
        was_lost = was_lost or is_unsure(result)
        yield Pause(wait)


def with_key(call: Call[T]) -> Call[T]:
    """Give a call that knows idempotency keys one of its own."""
    if not call.takes_key or call.idempotency_key is not None:
        return call
    return replace(call, idempotency_key=str(uuid.uuid4()))


def request_of(call: Call[T]) -> Request:
    headers = dict(call.headers)
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    if call.version is not None:
        headers["If-Match"] = f'"{call.version}"'
    if call.idempotency_key is not None:
        headers["Idempotency-Key"] = call.idempotency_key
    return Request(call.method, call.path, call.query, headers, call.content())


def is_done(result: Result) -> bool:
    return isinstance(result, Answer) and 200 <= result.status < 300


def is_gone(call: Call[T], result: Result) -> bool:
    """Whether a DELETE that was perhaps carried out finds nothing more to delete.

    That is what was wanted. A 412 after a lost answer is not: the row is there, as somebody made it meanwhile.
    """
    return call.method == "DELETE" and isinstance(result, Answer) and result.status == 404


def is_unsure(result: Result) -> bool:
    """Whether the request may have been carried out all the same."""
    return result.was_sent if isinstance(result, Lost) else isinstance(result, Answer) and result.status >= 500


def may_repeat(call: Call[T], result: Result) -> bool:
    if isinstance(result, Lost):
        return call.is_repeatable or not result.was_sent
    if not isinstance(result, Answer):
        return False
    if result.status == 409:
        return code_of(result) in PASSING
    return result.status == 429 or (result.status in (500, 502, 503, 504) and call.is_repeatable)


def read(call: Call[T], result: Result) -> T:
    assert isinstance(result, Answer)
    try:
        return call.read(result)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UnexpectedAnswer(f"The answer of {call.method} {call.path} is not what the API says: {error}") from error


def failure(call: Call[T], result: Result, tried: int) -> LkError:
    """Return what to raise; it names the idempotency key, with which the caller may go on trying."""
    error: LkError
    if isinstance(result, Answer):
        problem = problem_of(result.status, document_of(result), result.headers.get("x-request-id", ""))
        error = refusal(problem, retry_after(result))
    else:
        why = result.why if result else "nothing was sent"
        times = "once" if tried == 1 else f"{tried} times"
        error = NoAnswer(f"No answer to {call.method} {call.path}, tried {times}: {why}")
    error.idempotency_key = call.idempotency_key
    return error


def code_of(answer: Answer) -> str:
    return problem_of(answer.status, document_of(answer)).code


def document_of(answer: Answer) -> object:
    try:
        return answer.json()
    except UnexpectedAnswer:
        return None


def retry_after(result: Result) -> float | None:
    """Return the seconds that an answer asks to wait: `Retry-After` holds seconds or a date."""
    said = result.headers.get("retry-after", "") if isinstance(result, Answer) else ""
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(timezone.utc)).total_seconds()) if said else None
    except (TypeError, ValueError):
        return None
