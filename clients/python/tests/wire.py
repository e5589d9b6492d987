"""What tests of the core answer with, and a driver that does what an exchange says without a network."""

import json
from typing import Any, TypeVar

from lk_client.calls import Answer
from lk_client.exchange import Lost, Pause, Request, Retries, Steps

T = TypeVar("T")
KEY = "lk_live_" + "A1b2C3d4E5" + "s" * 30 + "123456"
WITHOUT_CHANCE = Retries(times=3, first_s=1.0, random=lambda: 1.0)
UNSENT, UNANSWERED = Lost("ConnectError", was_sent=False), Lost("ReadTimeout", was_sent=True)


def answer(status: int, document: Any = None, **headers: str) -> Answer:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, spelled, b"" if document is None else json.dumps(document).encode())


def problem(status: int, code: str, _headers: Any = None, **extra: Any) -> Answer:
    document = {"status": status, "code": code, "detail": "No.", "request_id": "r1", "errors": [], **extra}
    return answer(status, document, **(_headers or {}))


class Driven:
    """Goes through an exchange with these results; keeps what was sent and how long was waited."""

    def __init__(self, *results: Answer | Lost) -> None:
        self.results = list(results)
        self.sent: list[Request] = []
        self.waited: list[float] = []

    def through(self, steps: Steps[T]) -> T:
        result = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as over:
                return over.value
            if isinstance(step, Pause):
                self.waited.append(step.seconds)
                result = None
            else:
                self.sent.append(step)
                result = self.results.pop(0)
