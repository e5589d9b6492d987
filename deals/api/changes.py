"""`/changes`: what happened in the agency, for programs that keep a copy."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

import orjson
from django.http import HttpResponse
from django.utils.translation import get_language
from ninja import Field, Query, Router, Schema
from pydantic import WithJsonSchema

from accounts.actor import Actor, ActorRequest
from accounts.api.me import ColleagueOut, colleague
from accounts.models import FEED_ACTIONS, Event, Scope, User
from deals.api.schemas import Choice, ClientListItem, DealListItem, NoteOut, PipelineOut
from deals.api.shown import client_item, deal_item, note_out, stage_out
from deals.models import LostReason, Pipeline
from deals.services.changes import (
    ChangePage,
    ClientOnDeals,
    CursorExpired,
    NoteText,
    Present,
    present_number,
    read_changes,
)
from deals.services.client_listing import ClientRow
from deals.services.deal_rows import DealRow
from lk_site import cursors
from lk_site.answers import json_answer
from lk_site.cursors import CursorInvalid
from lk_site.errors import InvalidValue, NotAllowed
from lk_site.invalid import one_of
from lk_site.operations import needs, refuses
from lk_site.schemas import PageQuery, TimeOut, borrowed

router = Router(tags=["changes"])


def known_type(value: str) -> str:
    if value not in FEED_ACTIONS:
        raise InvalidValue("unknown", one_of(FEED_ACTIONS))
    return value


TYPES = {"type": "string", "enum": [action.value for action in FEED_ACTIONS]}
TypeIn = Annotated[str, borrowed(known_type), WithJsonSchema(TYPES)]


class ChangesQuery(PageQuery):
    """Where to go on, and what to be told of."""

    cursor: str | None = Field(None, description="`next_cursor` of the answer before. Without it: the present one.")
    type: list[TypeIn] = Field([], max_length=len(FEED_ACTIONS), description="Only these; it may differ each time.")


class ObjectOut(Schema):
    """What an event is about."""

    type: str = Field(
        description="`deal`, `note`, `client`, `agent`, `pipeline`, `stage` or `lost_reason`", examples=["deal"]
    )
    id: UUID


class NoteOfDeal(NoteOut):
    """A note, and the deal that it stands on."""

    deal: UUID


class ClientOnDealsOut(Schema):
    """What deals show of a client, for a key without `clients:read`."""

    client: UUID
    client_name: str | None
    client_phone_masked: str


class ChangeOut(Schema):
    """One event, with its object as it is now, not as it was then.

    `data` is what the object's own list shows, of a stage its pipeline, and of a client, to a key without
    `clients:read`, what deals show of him. It is null where the object is gone, or where no deal names such a client.
    """

    id: UUID = Field(description="Of the event: the same in webhooks.")
    type: str = Field(examples=["deal.changed"])
    at: TimeOut
    version: int | None = Field(description="Of the object, that the change made; `data` may be newer.", examples=[2])
    fields: list[str] = Field(description="Names of what changed.", examples=[["price"]])
    object: ObjectOut
    data: DealListItem | ClientListItem | NoteOfDeal | ClientOnDealsOut | PipelineOut | ColleagueOut | Choice | None


class ChangesPage(Schema):
    items: list[ChangeOut]
    next_cursor: str = Field(
        description="Never null: go on from here, now or later.", examples=["3q2-7wAAAAB4nE1O0kyp4Bv2m0bYq1IxN10"]
    )
    has_more: bool = Field(description="Whether to go on at once; the next page may be empty still.")


@router.get("", response=ChangesPage)
@needs(Scope.DEALS_READ, Scope.CLIENTS_READ)
@refuses(NotAllowed, CursorInvalid, CursorExpired)
def list_changes(request: ActorRequest, query: Query[ChangesQuery]) -> HttpResponse:
    """Tell what happened in the agency since a cursor, in the order it was committed, each event once, for 30 days.

    To keep an exact copy: take the cursor that is answered without one, walk the lists of deals and of clients (with
    `order=created`), those of the trash too, then follow from that cursor and put each `data` in the place of what you
    have. Names that stand on other objects are told by the event of whose they are: a deal's client by
    `client.changed`, its agent by `agent.*` and `profile.changed`, its stage and lost reason by `pipeline.changed`. The
    notes of a deal go with `deal.purged`.

    Read the notes of a deal that comes back from the trash in its timeline, once the page is applied.
    """
    if query.cursor is None:
        present = present_number(actor=request.actor)
        return page_answer(request, ChangePage([], {}, present, has_more=False))
    after = number_in(query.cursor, request.actor)
    return page_answer(request, read_changes(actor=request.actor, after=after, limit=query.limit, actions=query.type))


def page_answer(request: ActorRequest, page: ChangePage) -> HttpResponse:
    language = get_language()
    items = [change_item(event, page.object_of(event), language) for event in page.events]
    cursor = cursors.sealed(orjson.dumps([page.last]), log_digest(request.actor))
    response = json_answer({"items": items, "next_cursor": cursor, "has_more": page.has_more})
    response["Link"] = f'<{cursors.next_address(request, cursor)}>; rel="next"'
    return response


def change_item(event: Event, now: Present | None, language: str | None) -> dict[str, Any]:
    """Return an event as `ChangeOut` says, with its object as it is now."""
    return {
        "id": event.pk,
        "type": event.action,
        "at": event.at,
        "version": event.version,
        "fields": event.fields,
        "object": {"type": event.object_word, "id": event.object_id},
        "data": shown_now(now, language),
    }


def shown_now(now: Present | None, language: str | None) -> dict[str, Any] | None:
    """Return an object as its own list shows it, None for one that is gone."""
    match now:
        case DealRow():
            return deal_item(now, language)
        case ClientRow():
            return client_item(now)
        case ClientOnDeals():
            return client_on_deals(now.row)
        case NoteText():
            return {**note_out(now.note, now.text), "deal": now.note.deal_id}
        case Pipeline():
            return pipeline_item(now)
        case LostReason():
            return {"code": now.code, "name": now.name}
        case User():
            return colleague(now)
    return None


def client_on_deals(row: ClientRow) -> dict[str, Any]:
    """Return what deals show of a client, in their words: whoever keeps deals puts it into each of his."""
    return {
        "client": row.id,
        "client_name": row.name or None,
        "client_phone_masked": next(iter(row.masked_numbers), ""),
    }


def pipeline_item(pipeline: Pipeline) -> dict[str, Any]:
    stages = [stage_out(stage) for stage in pipeline.stages.all()]
    return {"code": pipeline.code, "name": pipeline.name, "kind": pipeline.kind, "stages": stages}


# --- a cursor names a place in the log of one agency, whatever was asked for


def number_in(cursor: str, actor: Actor) -> int:
    """Return the number after which to go on. Raises CursorInvalid."""
    (number,) = cursors.opened(cursor, log_digest(actor))
    return int(number)


def log_digest(actor: Actor) -> bytes:
    """Return what tells the log of one agency from that of another."""
    assert actor.agency_id is not None
    return hashlib.sha256(b"changes" + actor.agency_id.bytes).digest()[: cursors.DIGEST]
