"""The async client, asked as if it were the sync one: a test is written once and told to both."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Loop:
    """An event loop in a thread of its own: in that of the tests Playwright runs one, which allows no other."""

    def __init__(self) -> None:
        self.thread, self.runner = ThreadPoolExecutor(1, thread_name_prefix="async-client"), asyncio.Runner()

    def run(self, awaited: Coroutine[Any, Any, Any]) -> Any:
        return self.thread.submit(self.runner.run, awaited).result()

    def close(self) -> None:
        self.thread.submit(self.runner.close).result()
        self.thread.shutdown()


class Blocking:
    """Anything async: awaits what it returns, and goes through what it iterates."""

    def __init__(self, kind: Any, *args: Any, **kwargs: Any) -> None:
        self.loop = Loop()
        self.inner = kind(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return blocked(self.loop, getattr(self.inner, name))

    def close(self) -> None:
        self.loop.run(self.inner.close())
        self.loop.close()


class Blocked:
    """A part of it."""

    def __init__(self, loop: Loop, inner: Any) -> None:
        self.loop, self.inner = loop, inner

    def __getattr__(self, name: str) -> Any:
        return blocked(self.loop, getattr(self.inner, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return blocked(self.loop, self.inner(*args, **kwargs))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loop.run(all_of(aiter(self.inner))))


def blocked(loop: Loop, value: Any) -> Any:
    if inspect.iscoroutine(value):
        return loop.run(value)
    is_async = callable(value) or hasattr(value, "__aiter__") or type(value).__module__.endswith("async_parts")
    return Blocked(loop, value) if is_async else value


async def all_of(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]
