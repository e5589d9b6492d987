"""The change feed: everything that happens in the agency, in commit order, once each, for 30 days."""

from __future__ import annotations

from dataclasses import dataclass

from lk_client.calls import Answer, Call, path, query
from lk_client.models import ChangesPage
from lk_client.operations.selecting import Several
from lk_client.reading import one


def read_changes(cursor: str | None = None, *, types: Several = None, limit: int | None = None) -> Call[ChangesPage]:
    """Return the changes after a cursor; without one none, and the present cursor.

    Raises CursorExpired for a cursor older than 30 days.
    """
    return Call("GET", path("changes"), one(ChangesPage), query=query(cursor=cursor, type=types, limit=limit))


def present_cursor() -> Call[str]:
    """Return the cursor of now: take it before you copy the lists, and follow from it when they are copied."""
    return Call("GET", path("changes"), next_cursor)


def next_cursor(answer: Answer) -> str:
    return one(ChangesPage)(answer).next_cursor


@dataclass
class Place:
    """Where a reader of the feed stands: `cursor` is after everything that he was given and came back from.

    Save it together with what you did of the changes, and a program that dies in the middle of a page is given that
    page again: changes carry ids and versions to tell.
    """

    cursor: str | None = None
    types: Several = None
    limit: int | None = None

    def call(self) -> Call[ChangesPage]:
        return read_changes(self.cursor, types=self.types, limit=self.limit)

    def passed(self, page: ChangesPage) -> bool:
        """Go on behind a page; return whether there is more by now."""
        self.cursor = page.next_cursor
        return page.has_more
