"""How operations are told which row they are about: the object that LK answered, or its id and version."""

from __future__ import annotations

from lk_client.models import ClientItem, DealItem, Note, Person

DealRef = DealItem | str
ClientRef = ClientItem | str
AgentRef = Person | str
NoteRef = Note | str


def id_of(thing: DealItem | ClientItem | Person | Note | str) -> str:
    return thing if isinstance(thing, str) else thing.id


def version_of(thing: DealItem | ClientItem | str, version: int | None) -> int | None:
    """Return the version to change: the one that is named, else the object's own."""
    return version if version is not None or isinstance(thing, str) else thing.version


def optional_id(thing: AgentRef | ClientRef | None) -> str | None:
    return None if thing is None else id_of(thing)
