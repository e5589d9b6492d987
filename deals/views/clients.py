"""Clients: list, card, edit."""

from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.models import Action
from accounts.services.idempotency import FormAlreadyUsed, once, text_of_form
from deals.forms.clients import PHONE_NAMES, ClientForm
from deals.models import Client, Deal
from deals.presenters import Reader, client_card, client_name, client_rows, deal_rows, phones_of
from deals.services import client_listing, clients, listing
from deals.services.client_listing import NEWEST_DEAL_FIRST, ClientFilter
from deals.services.client_summaries import is_known_twice
from deals.services.clients import ClientExists
from deals.services.listing import DealFilter
from deals.services.looks import look_at, reveal_phones
from deals.services.permissions import may, may_ask
from deals.services.queries import QueryTooShort
from deals.services.searches import keep_search
from deals.views.conflicts import client_conflict
from deals.views.deals import NOT_TEXT, note_form
from deals.views.deals import card_page as deal_card_page
from deals.views.lists import SEARCH_AT_MOST, address, searched
from lk_site.errors import Invalid, InvalidValue, Stale
from lk_site.flashes import flash
from lk_site.form_fields import show_refusal
from lk_site.links import link
from lk_site.operations import counts_as_search
from lk_site.text import clean_line

PAGE, DEALS_ON_CARD = 20, 50
FILTERS = ("search",)


@require_safe
def client_list(request: ActorRequest) -> HttpResponse:
    """Show a page of the clients that the person may see."""
    return list_page(request)


@require_POST
@counts_as_search()
def client_search(request: ActorRequest) -> HttpResponse:
    """Keep what is looked for, and go to the list that names it by a random id."""
    typed = request.POST.get("q", "")
    try:
        text = clean_line(typed, SEARCH_AT_MOST)
    except InvalidValue as refused:
        return list_page(request, typed=typed, refused=str(refused))
    kept = [("search", str(keep_search(text, actor=request.actor)))] if text else []
    return redirect(address("deals:client_list", kept))


def list_page(request: ActorRequest, *, typed: str = "", refused: str = "") -> HttpResponse:
    """Render the list; what could not be looked for stays in the search box beside the reason."""
    text, refused = (typed, refused) if refused else searched(request, request.GET.get("search", ""))
    after = NEWEST_DEAL_FIRST.position_of_page(request, FILTERS)
    asked = ClientFilter(q="" if refused else text)
    try:
        page = client_listing.list_clients(asked, actor=request.actor, limit=PAGE, after=after)
    except QueryTooShort as short:
        page, refused = client_listing.ClientPage([], None), str(short)
    search = [("search", request.GET["search"])] if "search" in request.GET else []
    cursor = NEWEST_DEAL_FIRST.cursor(request, page.last, FILTERS) if page.last else ""
    context = {
        "rows": client_rows(page.rows, request.actor),
        "is_head": request.actor.is_head,
        "search_text": text,
        "search_error": refused,
        "next_url": address("deals:client_list", [*search, ("cursor", cursor)]) if cursor else "",
        "first_url": address("deals:client_list", search) if after else "",
        "has_any": bool(page.rows or text or refused or after),
    }
    return render(request, "deals/client_list.html", context, status=422 if refused else 200)


@require_safe
def client_detail(request: ActorRequest, client_id: UUID) -> HttpResponse:
    """Show a client. To the own agent the numbers are shown, and that is recorded."""
    client = Client.objects.visible_to(request.actor).whole().get(pk=client_id)
    return card_page(request, client, is_open=look_at(client, actor=request.actor))


@require_POST
def client_reveal(request: ActorRequest, client_id: UUID) -> HttpResponse:
    """Show the numbers to the head, in the answer itself: they stand nowhere else. `deal` names the card to show."""
    client = Client.objects.visible_to(request.actor).whole().get(pk=client_id)
    reveal_phones(client_id, actor=request.actor)
    if deal := deal_of(client, request):
        return deal_card_page(request, deal, note_form(request, deal), is_revealed=True)
    return card_page(request, client, is_open=True)


def deal_of(client: Client, request: ActorRequest) -> Deal | None:
    """Return the client's deal from whose card the numbers were asked for, None if it was the client's card."""
    try:
        deal_id = UUID(request.POST.get("deal", ""))
    except ValueError:
        return None
    return Deal.objects.visible_to(request.actor).whole().filter(client=client, pk=deal_id).first()


def card_page(request: ActorRequest, client: Client, *, is_open: bool) -> HttpResponse:
    actor, reader = request.actor, Reader.of(request.actor)
    page = listing.list_deals(DealFilter(client=(client.pk,)), actor=actor, limit=DEALS_ON_CARD)
    context = {
        "client": client_card(client, reader),
        "phones": phones_of(client, is_open=is_open),
        "reveal_url": "" if is_open else link("deals:client_reveal", client.pk),
        "rows": deal_rows(page.rows, actor),
        "is_head": actor.is_head,
        "can": {
            "edit": may_ask(actor, Action.CLIENT_CHANGED, client),
            "trash": may_ask(actor, Action.CLIENT_TRASHED, client) and not page.rows,
            "add_deal": client.agent_id == actor.user_id,  # a deal is for a client of one's own
        },
        "known_twice": known_twice(client, request),
    }
    return render(request, "deals/client_detail.html", context)


def known_twice(client: Client, request: ActorRequest) -> str:
    """Return what tells a head that another agent of the agency knows a number of this client too."""
    if not request.actor.is_head or not is_known_twice(client, actor=request.actor):
        return ""
    return _("Another agent of the agency has a client with this number.")


@require_http_methods(["GET", "HEAD", "POST"])
def client_create(request: ActorRequest) -> HttpResponse:
    """Add a client, once for however many clicks."""
    if request.method != "POST":
        return form_page(request, ClientForm(initial={"form_key": uuid4(), **kept_initial(request)}))
    form = ClientForm(request.POST)
    if not form.is_valid():
        return form_page(request, form, status=422)
    try:
        return redirect(created(request, form))
    except FormAlreadyUsed as used:
        flash(request, _("This form was already sent. Change the client here."))
        return redirect(used.target)
    except (ClientExists, Invalid) as refused:
        return refused_page(request, form, refused)


def created(request: ActorRequest, form: ClientForm) -> str:
    """Add the client and return his address; a repeat of the same form returns the same one."""

    def effect() -> tuple[str, UUID]:
        client = clients.create_client(**form.client(), actor=request.actor)
        return link("deals:client_detail", client.pk), client.pk

    key = str(form.cleaned_data["form_key"] or uuid4())
    text = text_of_form(dict(request.POST.lists()), NOT_TEXT)
    return once("form client_create", key, text, actor=request.actor, effect=effect)


@require_http_methods(["GET", "HEAD", "POST"])
def client_edit(request: ActorRequest, client_id: UUID) -> HttpResponse:
    """Change a client. Who sees only masks changes name, e-mail and notes, not the numbers."""
    client = Client.objects.visible_to(request.actor).whole().get(pk=client_id)
    may(request.actor, Action.CLIENT_CHANGED, client)
    is_open = look_at(client, actor=request.actor)
    if request.method != "POST":
        return form_page(request, edit_form(None, client, is_open=is_open, kept=kept_initial(request)), client)
    form = edit_form(request.POST, client, is_open=is_open)
    if not form.is_valid():
        return form_page(request, form, client, status=422)
    try:
        version = form.cleaned_data["version"]
        clients.edit_client(client_id, form.client(), actor=request.actor, version=version)
    except Stale as stale:
        fresh = Client.objects.visible_to(request.actor).whole().get(pk=client_id)
        form = client_conflict(form, fresh, is_open=is_open)
        return form_page(request, form, fresh, status=stale.status, stale=stale)
    except (ClientExists, Invalid) as refused:
        return refused_page(request, form, refused, client)
    flash(request, _("Saved."))
    return redirect("deals:client_detail", client_id)


def edit_form(data: Any, client: Client, *, is_open: bool, kept: dict[str, Any] | None = None) -> ClientForm:
    """Return the form of a client; its numbers stand in it only for who sees them.

    What was typed stays: who opened the form with numbers may be above the looks of an hour when he sends it.
    """
    phones = client.numbers if is_open else []
    form = ClientForm(data, initial=ClientForm.initial_of(client, phones) | (kept or {}))
    if not is_open and PHONE_NAMES[0] not in (data or {}):
        form.leave_out_phones()
    return form


def refused_page(
    request: ActorRequest, form: ClientForm, refused: ClientExists | Invalid, client: Client | None = None
) -> HttpResponse:
    if isinstance(refused, ClientExists):
        url = link("deals:client_detail", refused.existing.pk)
        clash = {"name": client_name(refused.existing), "url": url}
        return form_page(request, form, client, status=refused.status, clash=clash)
    show_refusal(form, refused)
    return form_page(request, form, client, status=refused.status)


def form_page(
    request: ActorRequest, form: ClientForm, client: Client | None = None, *, status: int = 200, **context: Any
) -> HttpResponse:
    named = {"id": client.pk} if client else None
    return render(request, "deals/client_form.html", {"form": form, "client": named, **context}, status=status)
