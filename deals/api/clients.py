"""`/clients/`: clients for programs."""

from uuid import UUID

from django.http import HttpResponse
from ninja import Body, Query, Router, Status

from accounts.actor import ActorRequest
from accounts.api.idempotent import idempotent
from accounts.models import Scope
from deals.api.queries import ClientQuery, ClientSelection
from deals.api.schemas import ClientIn, ClientOut, ClientPage, ClientPatch, RevealIn, RevealOut
from deals.api.selected import SelectedClient, SelectedClients, asked_by, selected_items, selected_row
from deals.api.shown import client_item, client_out, client_shown
from deals.models import Client
from deals.services import client_listing, clients, looks
from deals.services.client_listing import ORDERS
from deals.services.clients import ClientExists, ClientHasDeals
from deals.services.queries import QueryTooShort
from lk_site.answers import Ready
from lk_site.cursors import CursorInvalid
from lk_site.encryption.cells import ValueUnreadable
from lk_site.errors import Invalid, LimitReached, NotAllowed, Stale, VersionRequired
from lk_site.etags import etagged, if_match
from lk_site.operations import counts_as_search, needs, refuses
from lk_site.selection import NotAmongFields

CHANGES = (NotAllowed, VersionRequired, Stale)

router = Router(tags=["clients"])


@router.get("/", response=ClientPage | SelectedClients)
@needs(Scope.CLIENTS_READ)
@refuses(CursorInvalid, QueryTooShort, NotAmongFields)
@counts_as_search("q", "client_phone")
def list_clients(request: ActorRequest, query: Query[ClientQuery]) -> HttpResponse:
    """List clients, those with the newest deal first unless `order` says otherwise."""
    order, asked = ORDERS[query.order], asked_by(request.actor, query)
    after = order.position(request, query.cursor)
    page = client_listing.list_clients(query.asked(), actor=request.actor, limit=query.limit, after=after)
    items = selected_items([client_item(row) for row in page.rows], asked, actor=request.actor)
    return order.answer_up_to(request, items, page.last)


@router.post("/", response={201: ClientOut})
@needs(Scope.CLIENTS_WRITE)
@refuses(ClientExists, Invalid)
@idempotent(Client)
@etagged
def create_client(request: ActorRequest, payload: ClientIn, response: HttpResponse) -> Status[Ready]:
    """Create a client; the first phone is the main one."""
    client = clients.create_client(**payload.model_dump(exclude_unset=True), actor=request.actor)
    response["Location"] = f"{request.path}{client.pk}"
    return Status(201, client_out(client, actor=request.actor, typed=payload.phones))


@router.get("/{uuid:client_id}", response=ClientOut | SelectedClient)
@needs(Scope.CLIENTS_READ)
@refuses(NotAmongFields)
@etagged
def get_client(request: ActorRequest, client_id: UUID, query: Query[ClientSelection]) -> Ready:
    """Return a client. To the own agent the numbers are shown, and that is recorded."""
    asked = asked_by(request.actor, query)
    client = Client.objects.visible_to(request.actor).whole().get(pk=client_id)
    row = shown(request, client) if asked.shows("phones") else client_shown(client, is_open=False)
    return selected_row(row, asked, actor=request.actor)


@router.patch("/{uuid:client_id}", response=ClientOut)
@needs(Scope.CLIENTS_WRITE)
@refuses(ClientExists, Invalid, ValueUnreadable, *CHANGES)
@idempotent(Client)
@etagged
def edit_client(request: ActorRequest, client_id: UUID, payload: ClientPatch) -> Ready:
    """Change the fields that are sent; `phones` is the whole new list."""
    changes = payload.model_dump(exclude_unset=True)
    return shown(request, clients.edit_client(client_id, changes, actor=request.actor, version=if_match(request)))


@router.delete("/{uuid:client_id}", response={204: None})
@needs(Scope.CLIENTS_WRITE)
@refuses(ClientHasDeals, *CHANGES)
@etagged
def trash_client(request: ActorRequest, client_id: UUID) -> Status[Client]:
    """Move a client without deals to the trash, from where he can be restored for 30 days."""
    return Status(204, clients.trash_client(client_id, actor=request.actor, version=if_match(request)))


@router.post("/{uuid:client_id}/restore", response=ClientOut)
@needs(Scope.CLIENTS_WRITE)
@refuses(ClientExists, *CHANGES)
@idempotent(Client)
@etagged
def restore_client(request: ActorRequest, client_id: UUID) -> Ready:
    """Bring a client back from the trash."""
    return shown(request, clients.restore_client(client_id, actor=request.actor, version=if_match(request)))


@router.post("/{uuid:client_id}/reveal", response=RevealOut)
@needs(Scope.CLIENTS_REVEAL)
@refuses(LimitReached)
def reveal_client(request: ActorRequest, client_id: UUID, payload: Body[RevealIn]) -> dict[str, list[str]]:
    """Show the numbers of a client. It is recorded, with the reason, and counted."""
    return {"phones": looks.reveal_phones(client_id, actor=request.actor, reason=payload.reason or "")}


def shown(request: ActorRequest, client: Client) -> Ready:
    return client_out(client, actor=request.actor)
