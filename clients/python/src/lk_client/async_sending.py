"""How methods of the async client are made of the functions in `operations`. `sending` is its twin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Generic, ParamSpec, Protocol, TypeVar, overload

from lk_client.calls import Call, Listing, Page
from lk_client.exchange import Steps
from lk_client.models import Change, ChangesPage
from lk_client.operations.changes import Place

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")


class AsyncRunner(Protocol):
    """Who sends: the client."""

    async def run(self, call: Call[S]) -> S: ...
    async def drive(self, steps: Steps[S]) -> S: ...
    async def pause(self, seconds: float) -> None: ...


class AsyncPart:
    """Some operations of a client."""

    def __init__(self, client: AsyncRunner) -> None:
        self._client = client


class AsyncSends(Generic[P, T]):
    """A method made of a function that returns a call: the same arguments, and what the call answers."""

    def __init__(self, function: Callable[P, Call[T]]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, part: None, owner: type[AsyncPart]) -> AsyncSends[P, T]: ...
    @overload
    def __get__(self, part: AsyncPart, owner: type[AsyncPart]) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, part: AsyncPart | None, owner: type[AsyncPart]) -> AsyncSends[P, T] | Callable[P, Awaitable[T]]:
        if part is None:
            return self
        client = part._client

        @wraps(self.function)
        async def send(*args: P.args, **kwargs: P.kwargs) -> T:
            return await client.run(self.function(*args, **kwargs))

        return send


class AsyncLists(Generic[P, T]):
    """A method made of a function that returns a listing: the same arguments, and its pages."""

    def __init__(self, function: Callable[P, Listing[T]]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, part: None, owner: type[AsyncPart]) -> AsyncLists[P, T]: ...
    @overload
    def __get__(self, part: AsyncPart, owner: type[AsyncPart]) -> Callable[P, AsyncPages[T]]: ...
    def __get__(self, part: AsyncPart | None, owner: type[AsyncPart]) -> AsyncLists[P, T] | Callable[P, AsyncPages[T]]:
        if part is None:
            return self
        client = part._client

        @wraps(self.function)
        def pages(*args: P.args, **kwargs: P.kwargs) -> AsyncPages[T]:
            return AsyncPages(client, self.function(*args, **kwargs))

        return pages


class AsyncPages(Generic[T]):
    """A list, fetched page by page as you go through it. Going through it again asks again."""

    def __init__(self, client: AsyncRunner, listing: Listing[T]) -> None:
        self._client, self._listing = client, listing

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Go through the pages themselves."""
        call: Call[Page[T]] | None = self._listing.first
        while call is not None:
            page = await self._client.run(call)
            yield page
            call = self._listing.after(page)

    async def first(self) -> Page[T]:
        """Return the first page alone."""
        return await self._client.run(self._listing.first)


class AsyncFeed:
    """The changes since a cursor, until there are no more by now. Going through it again goes on.

    `cursor` is where you stand: it moves when you come back for the next page. Save it then.
    """

    def __init__(self, client: AsyncRunner, place: Place) -> None:
        self._client, self._place = client, place

    @property
    def cursor(self) -> str | None:
        return self._place.cursor

    async def __aiter__(self) -> AsyncIterator[Change]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[ChangesPage]:
        """Go through the pages: `page.next_cursor` is what to save with what you made of its items."""
        has_more = True
        while has_more:
            page = await self._client.run(self._place.call())
            yield page
            has_more = self._place.passed(page)

    async def follow(self, *, every_s: float = 5.0) -> AsyncIterator[Change]:
        """Go on for ever, asking every so many seconds when there is nothing new."""
        while True:
            async for change in self:
                yield change
            await self._client.pause(every_s)
