"""Notes and the timeline of a deal."""

from __future__ import annotations

from lk_client.calls import Call, Listing, path
from lk_client.models import Note, TimelineEntry
from lk_client.operations.references import DealRef, NoteRef, id_of
from lk_client.operations.selecting import listing
from lk_client.reading import nothing, one


def add_note(deal: DealRef, text: str, *, idempotency_key: str | None = None) -> Call[Note]:
    """Note something on a deal's timeline."""
    address = path("deals", id_of(deal), "notes")
    return Call("POST", address, one(Note), body={"text": text}, takes_key=True, idempotency_key=idempotency_key)


def edit_note(deal: DealRef, note: NoteRef, text: str, *, idempotency_key: str | None = None) -> Call[Note]:
    """Change the text of a note that this key wrote."""
    address = path("deals", id_of(deal), "notes", id_of(note))
    return Call("PATCH", address, one(Note), body={"text": text}, takes_key=True, idempotency_key=idempotency_key)


def delete_note(deal: DealRef, note: NoteRef) -> Call[None]:
    """Delete a note that this key wrote."""
    return Call("DELETE", path("deals", id_of(deal), "notes", id_of(note)), nothing)


def list_timeline(deal: DealRef, *, limit: int | None = None) -> Listing[TimelineEntry]:
    """List what happened on a deal, newest first."""
    return listing(TimelineEntry, path("deals", id_of(deal), "timeline"), {"limit": limit})
