"""`/deals/`: deals for programs."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import get_language
from ninja import Query, Router, Status

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.models import Scope
from deals.api.queries import DealQuery, DealSelection
from deals.api.schemas import DealIn, DealOut, DealPage, DealPatch, HandOverIn, StageMoveIn
from deals.api.selected import SelectedDeal, SelectedDeals, asked_by, selected_items, selected_row
from deals.api.shown import deal_detail, deal_item, deal_out
from deals.models import Deal
from deals.services import deals, hand_over, listing, pipeline
from deals.services.clients import ClientExists
from deals.services.deal_details import read_deal, read_masked_deal
from deals.services.deal_rows import NEWEST_FIRST
from deals.services.queries import QueryTooShort
from lk_site.answers import Ready
from lk_site.cursors import CursorInvalid
from lk_site.encryption.cells import ValueUnreadable
from lk_site.errors import Invalid, NotAllowed, Stale, VersionRequired
from lk_site.etags import etagged, if_match
from lk_site.operations import counts_as_search, needs, refuses
from lk_site.selection import NotAmongFields

CHANGES = (NotAllowed, VersionRequired, Stale)

router = Router(tags=["deals"])


@router.get("/", response=DealPage | SelectedDeals)
@needs(Scope.DEALS_READ)
@refuses(CursorInvalid, QueryTooShort, NotAmongFields)
@counts_as_search("q", "client_phone")
def list_deals(request: ActorRequest, query: Query[DealQuery]) -> HttpResponse:
    """List deals, newest first."""
    after, asked = NEWEST_FIRST.position(request, query.cursor), asked_by(request.actor, query)
    page = listing.list_deals(query.asked(), actor=request.actor, limit=query.limit, after=after)
    language = get_language()
    items = [deal_item(row, language) for row in page.rows]
    return NEWEST_FIRST.answer_up_to(request, selected_items(items, asked, actor=request.actor), page.last)


@router.post("/", response={201: DealOut})
@needs(Scope.DEALS_WRITE)
@refuses(ClientExists, Invalid)
@idempotent(Deal)
@etagged
def create_deal(request: ActorRequest, payload: DealIn, response: HttpResponse) -> Status[Ready]:
    """Create a deal for the client who has this phone, or for a new one."""
    deal = deals.create_deal(**payload.model_dump(exclude_unset=True), actor=request.actor)
    response["Location"] = f"{request.path}{deal.pk}"
    return Status(201, deal_out(deal, actor=request.actor, typed=payload.client_phone))


@router.get("/{uuid:deal_id}", response=DealOut | SelectedDeal)
@needs(Scope.DEALS_READ)
@refuses(NotAmongFields)
@etagged
def get_deal(request: ActorRequest, deal_id: UUID, query: Query[DealSelection]) -> Ready:
    """Return a deal. To its own agent the number is shown, and that is recorded."""
    asked = asked_by(request.actor, query)
    read = read_deal if asked.shows("client_phone") else read_masked_deal
    return selected_row(deal_detail(read(deal_id, actor=request.actor)), asked, actor=request.actor)


@router.patch("/{uuid:deal_id}", response=DealOut)
@needs(Scope.DEALS_WRITE)
@refuses(Invalid, ValueUnreadable, *CHANGES)
@idempotent(Deal)
@etagged
def edit_deal(request: ActorRequest, deal_id: UUID, payload: DealPatch) -> Ready:
    """Change the fields that are sent."""
    changes = payload.model_dump(exclude_unset=True)
    return shown(request, deals.edit_deal(deal_id, changes, actor=request.actor, version=if_match(request)))


@router.delete("/{uuid:deal_id}", response={204: None})
@needs(Scope.DEALS_WRITE)
@refuses(*CHANGES)
@etagged
def trash_deal(request: ActorRequest, deal_id: UUID) -> Status[Deal]:
    """Move a deal to the trash, from where it can be restored for 30 days."""
    return Status(204, deals.trash_deal(deal_id, actor=request.actor, version=if_match(request)))


@router.post("/{uuid:deal_id}/restore", response=DealOut)
@needs(Scope.DEALS_WRITE)
@refuses(ClientExists, *CHANGES)
@idempotent(Deal)
@etagged
def restore_deal(request: ActorRequest, deal_id: UUID) -> Ready:
    """Bring a deal back from the trash."""
    return shown(request, deals.restore_deal(deal_id, actor=request.actor, version=if_match(request)))


@router.post("/{uuid:deal_id}/stage-moves", response=DealOut)
@needs(Scope.DEALS_WRITE)
@refuses(Invalid, ValueUnreadable, pipeline.SameStage, pipeline.StageClosed, *CHANGES)
@idempotent(Deal)
@etagged
def move_deal(request: ActorRequest, deal_id: UUID, payload: StageMoveIn) -> Ready:
    """Move a deal along its pipeline."""
    move: dict[str, Any] = payload.model_dump(exclude_none=True)
    return shown(request, pipeline.move_deal(deal_id, **move, actor=request.actor, version=if_match(request)))


@router.post("/{uuid:deal_id}/stage-moves/undo", response=DealOut)
@needs(Scope.DEALS_WRITE)
@refuses(pipeline.NothingToUndo, pipeline.UndoTooLate, *CHANGES)
@idempotent(Deal)
@etagged
def undo_move(request: ActorRequest, deal_id: UUID) -> Ready:
    """Take back one's own last move within ten minutes."""
    return shown(request, pipeline.undo_move(deal_id, actor=request.actor, version=if_match(request)))


@router.post("/{uuid:deal_id}/hand-over", response=DealOut)
@needs(Scope.DEALS_WRITE)
@refuses(Invalid, hand_over.SameAgent, *CHANGES)
@idempotent(Deal)
@etagged
def hand_over_deal(request: ActorRequest, deal_id: UUID, payload: HandOverIn) -> Ready:
    """Give a deal to another agent of the agency; heads only."""
    deal = hand_over.hand_over_deal(deal_id, payload.agent, actor=request.actor, version=if_match(request))
    return shown(request, deal)


def shown(request: ActorRequest, deal: Deal) -> Ready:
    return deal_out(deal, actor=request.actor)
