"""The client for programs on asyncio. `client` is its twin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

import httpx

from lk_client import async_parts as parts
from lk_client.calls import Call
from lk_client.connection import TIMEOUT, answer_of, connection, lost
from lk_client.exchange import STANDARD, Pause, Result, Retries, Step, Steps, exchange

T = TypeVar("T")


class AsyncClient:
    """LK, as a key sees it. One client serves a whole program; close it, or use it in `async with`.

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
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection(key, base_url, language, user_agent)
        self._http = httpx.AsyncClient(timeout=timeout, transport=transport)
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
        return f"<AsyncClient of {self._connection.root}>"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to LK."""
        await self._http.aclose()

    async def run(self, call: Call[T]) -> T:
        """Make a call and return what it says. Raises LkError."""
        return await self.drive(exchange(call, self._retries))

    async def drive(self, steps: Steps[T]) -> T:
        """Do what each step says; return what they come to."""
        result: Result = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration as over:
                value: T = over.value
                return value
            result = await self._take(step)

    async def pause(self, seconds: float) -> None:
        await self._sleep(seconds)

    async def _take(self, step: Step) -> Result:
        if isinstance(step, Pause):
            await self.pause(step.seconds)
            return None
        try:
            return answer_of(step, await self._http.request(**self._connection.arguments(step)))
        except httpx.RequestError as error:
            return lost(step, error)
