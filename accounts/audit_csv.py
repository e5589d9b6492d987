"""The audit as a table for a spreadsheet, written while it is read.

Semicolons stand between the cells, as a Russian Excel expects, and times are those of the reader's zone. The names of
the columns are for programs; `who`, `what` and `about` are in words.
"""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone, translation

from accounts.actor import Actor
from accounts.audit_pages import audit_row, who_text
from accounts.models import Event
from accounts.services import agencies
from accounts.services.audit import Names, names_in

CSV = "text/csv"
BOM = "\ufeff"  # tells Excel that it is UTF-8
# a cell that begins so, in either width, is run by a spreadsheet (OWASP: CSV injection)
FORMULA = (*"=+-@\t\r\n", *"＝＋－＠")
COLUMNS = (
    *("number", "at", "actor_kind", "who", "what", "about", "action", "object_type", "object", "deal", "client"),
    *("version", "fields", "address", "request"),
)


def csv_answer(batches: Iterable[list[Event]], actor: Actor) -> StreamingHttpResponse:
    """Return events as a file, in the words and the zone of who asks."""
    response = StreamingHttpResponse(told_as_now(audit_csv(batches, actor)), content_type=f"{CSV}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.localdate():%Y-%m-%d}.csv"'
    return response


def told_as_now(lines: Iterator[str]) -> Iterator[str]:
    """Return the lines as they would be made now: they are made when the middleware has forgotten who asked."""
    zone, language = timezone.get_current_timezone(), translation.get_language()

    def told() -> Iterator[str]:
        while True:
            with timezone.override(zone), translation.override(language):
                made = next(lines, None)
            if made is None:
                return
            yield made

    return told()


def audit_csv(batches: Iterable[list[Event]], actor: Actor) -> Iterator[str]:
    """Yield the lines, a batch of them at once."""
    yield BOM + csv_lines([COLUMNS])
    for events in batches:
        names, places = names_in(events, actor), agencies.work.places(events, actor=actor)
        yield csv_lines(cells_of(event, names, places) for event in events)


def cells_of(event: Event, names: Names, places: dict[Any, tuple[str, str]]) -> list[Any]:
    """Return an event as COLUMNS say."""
    row, who = audit_row(event, names, places), names.who(event)
    at = timezone.localtime(event.at).isoformat(sep=" ", timespec="seconds")
    about = row["name"] or (row["place"][0] if row["place"] else "")
    return [
        *(event.seq, at, event.actor_kind, who_text(who), row["title"], about, event.action),
        *(event.object_word, event.object_id, event.deal_id, event.client_id, event.version),
        *(" ".join(event.fields), row["address"], event.request_id),
    ]


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    lines = StringIO()
    csv.writer(lines, delimiter=";").writerows([safe(cell) for cell in row] for row in rows)
    return lines.getvalue()


def safe(cell: Any) -> str:
    """Return a cell as text; what a spreadsheet would take for a formula stands behind an apostrophe."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text
