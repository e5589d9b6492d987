"""How methods of the sync client are made of the functions in `operations`. `async_sending` is its twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Generic, ParamSpec, Protocol, TypeVar, overload

from lk_client.calls import Call, Listing, Page
from lk_client.exchange import Steps
from lk_client.models import Change, ChangesPage
from lk_client.operations.changes import Place

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")


class Runner(Protocol):
    """Who sends: the client."""

    def run(self, call: Call[S]) -> S: ...
    def drive(self, steps: Steps[S]) -> S: ...
    def pause(self, seconds: float) -> None: ...


class Part:
    """Some operations of a client."""

    def __init__(self, client: Runner) -> None:
        self._client = client


class Sends(Generic[P, T]):
    """A method made of a function that returns a call: the same arguments, and what the call answers."""

    def __init__(self, function: Callable[P, Call[T]]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, part: None, owner: type[Part]) -> Sends[P, T]: ...
    @overload
    def __get__(self, part: Part, owner: type[Part]) -> Callable[P, T]: ...
    def __get__(self, part: Part | None, owner: type[Part]) -> Sends[P, T] | Callable[P, T]:
        if part is None:
            return self
        client = part._client

        @wraps(self.function)
        def send(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.run(self.function(*args, **kwargs))

        return send


class Lists(Generic[P, T]):
    """A method made of a function that returns a listing: the same arguments, and its pages."""

    def __init__(self, function: Callable[P, Listing[T]]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, part: None, owner: type[Part]) -> Lists[P, T]: ...
    @overload
    def __get__(self, part: Part, owner: type[Part]) -> Callable[P, Pages[T]]: ...
    def __get__(self, part: Part | None, owner: type[Part]) -> Lists[P, T] | Callable[P, Pages[T]]:
        if part is None:
            return self
        client = part._client

        @wraps(self.function)
        def pages(*args: P.args, **kwargs: P.kwargs) -> Pages[T]:
            return Pages(client, self.function(*args, **kwargs))

        return pages


class Pages(Generic[T]):
    """A list, fetched page by page as you go through it. Going through it again asks again."""

    def __init__(self, client: Runner, listing: Listing[T]) -> None:
        self._client, self._listing = client, listing

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[T]]:
        """Go through the pages themselves."""
        call: Call[Page[T]] | None = self._listing.first
        while call is not None:
            page = self._client.run(call)
            yield page
            call = self._listing.after(page)

    def first(self) -> Page[T]:
        """Return the first page alone."""
        return self._client.run(self._listing.first)


class Feed:
    """The changes since a cursor, until there are no more by now. Going through it again goes on.

    `cursor` is where you stand: it moves when you come back for the next page. Save it then.
    """

    def __init__(self, client: Runner, place: Place) -> None:
        self._client, self._place = client, place

    @property
    def cursor(self) -> str | None:
        return self._place.cursor

    def __iter__(self) -> Iterator[Change]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[ChangesPage]:
        """Go through the pages: `page.next_cursor` is what to save with what you made of its items."""
        has_more = True
        while has_more:
            page = self._client.run(self._place.call())
            yield page
            has_more = self._place.passed(page)

    def follow(self, *, every_s: float = 5.0) -> Iterator[Change]:
        """Go on for ever, asking every so many seconds when there is nothing new."""
        while True:
            yield from self
            self._client.pause(every_s)
