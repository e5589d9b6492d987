"""`/deals/{id}/timeline` and `/deals/{id}/notes`: what happened on a deal, and what people note about it."""

from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Router, Status

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.models import Scope
from deals.api.schemas import NoteIn, NoteOut, TimelinePage
from deals.api.shown import note_out, timeline_item
from deals.models import Deal, Note
from deals.services import notes
from deals.services.timeline import NEWEST_FIRST, read_timeline
from lk_site.answers import Ready
from lk_site.cursors import CursorInvalid
from lk_site.errors import NotAllowed
from lk_site.operations import needs, refuses
from lk_site.schemas import PageQuery

router = Router(tags=["timeline"])


@router.get("/{uuid:deal_id}/timeline", response=TimelinePage)
@needs(Scope.DEALS_READ)
@refuses(CursorInvalid)
def get_timeline(request: ActorRequest, deal_id: UUID, query: Query[PageQuery]) -> HttpResponse:
    """List what happened on a deal, newest first."""
    after = NEWEST_FIRST.position(request, query.cursor)
    deal = Deal.objects.visible_to(request.actor).select_related("stage").get(pk=deal_id)
    page = read_timeline(deal, actor=request.actor, limit=query.limit, after=after)
    return NEWEST_FIRST.answer_up_to(request, [timeline_item(entry) for entry in page.entries], page.last)


@router.post("/{uuid:deal_id}/notes", response={201: NoteOut})
@needs(Scope.DEALS_WRITE)
@idempotent(Note)
def add_note(request: ActorRequest, deal_id: UUID, payload: NoteIn) -> Status[Ready]:
    """Note something on a deal's timeline."""
    return Status(201, note_out(notes.add_note(deal_id, payload.text, actor=request.actor), payload.text))


@router.patch("/{uuid:deal_id}/notes/{uuid:note_id}", response=NoteOut)
@needs(Scope.DEALS_WRITE)
@refuses(NotAllowed)
@idempotent(Note)
def edit_note(request: ActorRequest, deal_id: UUID, note_id: UUID, payload: NoteIn) -> Ready:
    """Change the text of one's own note."""
    return note_out(notes.edit_note(deal_id, note_id, payload.text, actor=request.actor), payload.text)


@router.delete("/{uuid:deal_id}/notes/{uuid:note_id}", response={204: None})
@needs(Scope.DEALS_WRITE)
@refuses(NotAllowed)
def delete_note(request: ActorRequest, deal_id: UUID, note_id: UUID) -> Status[None]:
    """Delete one's own note. The timeline keeps that there was one, without its text."""
    notes.delete_note(deal_id, note_id, actor=request.actor)
    return Status(204, None)
