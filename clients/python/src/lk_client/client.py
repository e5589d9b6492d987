"""The client for programs that do one thing after another. `async_client` is its twin."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import httpx

from lk_client import parts
from lk_client.calls import Call
from lk_client.connection import TIMEOUT, answer_of, connection, lost
from lk_client.exchange import STANDARD, Pause, Result, Retries, Step, Steps, exchange

T = TypeVar("T")


class Client:
    """LK, as a key sees it. One client serves a whole program and its threads; close it, or use it in `with`.

    `base_url` is the address of your LK, `language` that of names and sentences in answers (`ru`, `en`), `timeout`
    seconds of a try or an httpx.Timeout, `user_agent` the name of your program, `transport` an httpx transport of your
    own, `sleep` what waits between tries.
    """

    def __init__(
        self,
        key: str,
        base_url: str,
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries = STANDARD,
        language: str = "ru",
        user_agent: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection(key, base_url, language, user_agent)
        self._http = httpx.Client(timeout=timeout, transport=transport)
        self._retries, self._sleep = retries, sleep
        self.agents = parts.Agents(self)
        self.bulk = parts.Bulk(self)
        self.changes = parts.Changes(self)
        self.clients = parts.Clients(self)
        self.deals = parts.Deals(self)
        self.key = parts.Key(self)
        self.lookups = parts.Lookups(self)
        self.notes = parts.Notes(self)
        self.operations = parts.Operations(self)
        self.pipelines = parts.Pipelines(self)
        self.timeline = parts.Timeline(self)
        self.webhooks = parts.Webhooks(self)

    def __repr__(self) -> str:
        return f"<Client of {self._connection.root}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to LK."""
        self._http.close()

    def run(self, call: Call[T]) -> T:
        """Make a call and return what it says. Raises LkError."""
        return self.drive(exchange(call, self._retries))

    def drive(self, steps: Steps[T]) -> T:
        """Do what each step says; return what they come to."""
        result: Result = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as over:
                value: T = over.value
                return value
            result = self._take(step)

    def pause(self, seconds: float) -> None:
        self._sleep(seconds)

    def _take(self, step: Step) -> Result:
        if isinstance(step, Pause):
            self.pause(step.seconds)
            return None
        try:
            return answer_of(step, self._http.request(**self._connection.arguments(step)))
        except httpx.RequestError as error:
            return lost(step, error)
