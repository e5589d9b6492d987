"""The trash: what lies there for 30 days, and the way back."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actor import ActorRequest
from deals.presenters import Reader, trashed_client_row, trashed_deal_row
from deals.services import client_listing, clients, deals, listing
from deals.services.client_listing import NEWEST_DEAL_FIRST, ClientFilter
from deals.services.deal_rows import NEWEST_FIRST
from deals.services.listing import DealFilter
from deals.views.moves import version_of
from lk_site.cursors import Keyset, Position
from lk_site.flashes import flash
from lk_site.links import link

PAGE = 20


@require_safe
def deal_trash_list(request: ActorRequest) -> HttpResponse:
    """Show the deals in the trash."""
    after, reader = NEWEST_FIRST.position_of_page(request), Reader.of(request.actor)
    page = listing.list_deals(DealFilter(trashed=True), actor=request.actor, limit=PAGE, after=after)
    rows = [trashed_deal_row(row, reader) for row in page.rows]
    return trash_page(request, "deals/deal_trash_list.html", rows, NEWEST_FIRST, page.last)


@require_safe
def client_trash_list(request: ActorRequest) -> HttpResponse:
    """Show the clients in the trash."""
    after, reader = NEWEST_DEAL_FIRST.position_of_page(request), Reader.of(request.actor)
    page = client_listing.list_clients(ClientFilter(trashed=True), actor=request.actor, limit=PAGE, after=after)
    rows = [trashed_client_row(row, reader) for row in page.rows]
    return trash_page(request, "deals/client_trash_list.html", rows, NEWEST_DEAL_FIRST, page.last)


@require_POST
def deal_trash(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Move a deal to the trash, with a way to take that back."""
    deal = deals.trash_deal(deal_id, actor=request.actor, version=version_of(request))
    undo = link("deals:deal_restore", deal_id)
    flash(request, _("№ %d is in the trash.") % deal.number, undo_url=undo, undo_version=deal.version)
    return redirect("deals:deal_list")


@require_POST
def deal_restore(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Bring a deal back from the trash."""
    deal = deals.restore_deal(deal_id, actor=request.actor, version=version_of(request))
    flash(request, _("№ %d is back.") % deal.number)
    return redirect("deals:deal_detail", deal_id)


@require_POST
def client_trash(request: ActorRequest, client_id: UUID) -> HttpResponse:
    """Move a client to the trash, with a way to take that back."""
    client = clients.trash_client(client_id, actor=request.actor, version=version_of(request))
    undo = link("deals:client_restore", client_id)
    flash(request, _("The client is in the trash."), undo_url=undo, undo_version=client.version)
    return redirect("deals:client_list")


@require_POST
def client_restore(request: ActorRequest, client_id: UUID) -> HttpResponse:
    """Bring a client back from the trash."""
    clients.restore_client(client_id, actor=request.actor, version=version_of(request))
    flash(request, _("The client is back."))
    return redirect("deals:client_detail", client_id)


def trash_page(
    request: ActorRequest, template: str, rows: list[dict[str, Any]], keyset: Keyset, last: Position | None
) -> HttpResponse:
    next_url = f"?cursor={keyset.cursor(request, last, ())}" if last else ""
    return render(request, template, {"rows": rows, "next_url": next_url})
