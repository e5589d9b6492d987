"""The list of deals: filters stand in the address, the text of a search never does."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actor import Actor, ActorRequest
from accounts.models import User
from deals.forms.filters import DealFilterForm
from deals.models import Search
from deals.presenters import deal_rows
from deals.services import listing
from deals.services.deal_reading import open_stage_names
from deals.services.deal_rows import NEWEST_FIRST
from deals.services.queries import QueryTooShort
from deals.services.searches import keep_search, read_search
from lk_site.errors import InvalidValue
from lk_site.links import link
from lk_site.operations import counts_as_search
from lk_site.text import clean_line

PAGE = 20
SEARCH_AT_MOST = 200
FILTER_AT_MOST = 50  # characters: no value that a filter has is longer, and an address has its bounds
FILTERS = (*DealFilterForm.base_fields, "search")


@require_safe
def deal_list(request: ActorRequest) -> HttpResponse:
    """Show a page of the deals that the person may see."""
    return list_page(request)


@require_POST
@counts_as_search()
def deal_search(request: ActorRequest) -> HttpResponse:
    """Keep what is looked for, and go to the list that names it by a random id."""
    typed = request.POST.get("q", "")
    try:
        text = clean_line(typed, SEARCH_AT_MOST)
    except InvalidValue as refused:
        return list_page(request, typed=typed, refused=str(refused))
    chosen = [(name, request.POST.get(name, "")) for name in DealFilterForm.base_fields]
    kept = [(name, value) for name, value in chosen if value and len(value) <= FILTER_AT_MOST]
    if text:
        kept.append(("search", str(keep_search(text, actor=request.actor))))
    return redirect(address("deals:deal_list", kept))


def list_page(request: ActorRequest, *, typed: str = "", refused: str = "") -> HttpResponse:
    """Render the list; what could not be looked for stays in the search box beside the reason."""
    given = request.GET if request.method in ("GET", "HEAD") else request.POST
    form = DealFilterForm(given, stages=open_stage_names(request.actor), agents=agents_of(request.actor))
    form.is_valid()
    text, refused = (typed, refused) if refused else searched(request, request.GET.get("search", ""))
    try:
        page, after = read_page(request, form, "" if refused else text)
    except QueryTooShort as short:
        page, after, refused = listing.DealPage([], None), None, str(short)
    kept = form.kept()
    filters_on = bool(kept or text or refused or form.errors)
    context = {
        "rows": deal_rows(page.rows, request.actor),
        "is_head": request.actor.is_head,
        "filters": form,
        "filter_count": len(form.narrowing()),
        "tabs": tabs(request.GET, form),
        "chips": chips(request.GET, form),
        "search_text": text,
        "search_error": refused,
        "kept_query": kept,
        "next_url": next_url(request, page.last),
        "first_url": address("deals:deal_list", without(request.GET, "cursor")) if after else "",
        "has_any": bool(page.rows or filters_on or after),
    }
    return render(request, "deals/deal_list.html", context, status=422 if refused else 200)


def read_page(
    request: ActorRequest, form: DealFilterForm, text: str
) -> tuple[listing.DealPage, tuple[Any, ...] | None]:
    """Return the page that the address asks for; a cursor of another list leads to the first page."""
    after = NEWEST_FIRST.position_of_page(request, FILTERS)
    return listing.list_deals(form.asked(text), actor=request.actor, limit=PAGE, after=after), after


def searched(request: ActorRequest, search_id: str) -> tuple[str, str]:
    """Return the text of a kept search, and what to say if it is forgotten."""
    if not search_id:
        return "", ""
    try:
        return read_search(UUID(search_id), actor=request.actor), ""
    except (ValueError, Search.DoesNotExist):
        return "", _("This search is forgotten after an hour. Type it again.")


def agents_of(actor: Actor) -> list[User]:
    return list(User.objects.visible_to(actor).order_by("pk")) if actor.is_head else []


# --- addresses


def next_url(request: HttpRequest, last: tuple[Any, ...] | None) -> str:
    if last is None:
        return ""
    cursor = NEWEST_FIRST.cursor(request, last, FILTERS)
    return address(request.resolver_match.view_name, [*without(request.GET, "cursor"), ("cursor", cursor)])  # type: ignore[union-attr]


def without(query: QueryDict, *names: str) -> list[tuple[str, str]]:
    """Return what an address asks, less some names and less what is not ours."""
    kept = [name for name in query if name in FILTERS and name not in names]
    return [(name, value) for name in kept for value in query.getlist(name) if value]


def address(view: str, query: list[tuple[str, str]]) -> str:
    return f"{link(view)}?{urlencode(query)}" if query else link(view)


def tabs(query: QueryDict, form: DealFilterForm) -> list[dict[str, Any]]:
    """Return all, open, won and lost deals, as addresses that keep the other filters."""
    chosen = query.get("status", "")
    names: Mapping[str, str] = {"": _("All"), "open": _("Open"), "won": _("Won"), "lost": _("Lost")}
    others = without(query, "status", "cursor")
    return [
        {
            "label": label,
            "url": address("deals:deal_list", [*others, ("status", status)] if status else others),
            "is_current": status == chosen,
        }
        for status, label in names.items()
    ]


def chips(query: QueryDict, form: DealFilterForm) -> list[dict[str, str]]:
    """Return the filters that are on, each with the address of the list without it."""
    return [
        {"label": label, "remove_url": address("deals:deal_list", without(query, name, "cursor"))}
        for name, label in form.narrowing().items()
    ]
