"""The audit of the agency, for its head: in words, narrowed by what stands in the address, taken along as a table."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actor import ActorRequest
from accounts.audit_csv import csv_answer
from accounts.audit_forms import AuditFilterForm
from accounts.audit_pages import alarm_rows, audit_rows
from accounts.services import alarms, audit, step_up
from accounts.services.audit import NEWEST_FIRST
from lk_site.cursors import Position
from lk_site.errors import Invalid
from lk_site.links import link

PAGE = 50
FILTERS = tuple(AuditFilterForm.base_fields)


@require_safe
def audit_list(request: ActorRequest) -> HttpResponse:
    """Show a page of what was done in the agency."""
    form = filter_form(request, request.GET)
    after = NEWEST_FIRST.position_of_page(request, FILTERS)
    page = audit.list_events(form.asked(), actor=request.actor, limit=PAGE, after=after)
    rows = audit_rows(page.events, form.names, request.actor)
    context = {
        "alarms": alarm_rows(alarms.waiting_for(request.actor), form.names),
        "events": [row | {"only_url": only_url(request.GET, row["about"])} for row in rows],
        "filters": form,
        "filter_count": len(form.narrowing()),
        "chips": chips(request.GET, form, rows),
        "kept": form.kept(),
        "next_url": next_url(request, page.last),
        "first_url": address(without(request.GET, "cursor")) if after else "",
        "needs_code": not step_up.is_fresh(request.actor),
    }
    return render(request, "accounts/audit_list.html", context)


@require_POST
def audit_export(request: ActorRequest) -> HttpResponseBase:
    """Send the events that the page was narrowed to as a table."""
    form = filter_form(request, request.POST)
    if form.errors:
        raise Invalid
    return csv_answer(audit.export_events(form.asked(), actor=request.actor), request.actor)


@require_POST
def alarm_seen(request: ActorRequest, alarm_id: UUID) -> HttpResponse:
    """Take an alarm and those before it off the head's pages."""
    alarms.see_alarms(alarm_id, actor=request.actor)
    return redirect("accounts:audit_list")


def filter_form(request: ActorRequest, given: QueryDict) -> AuditFilterForm:
    form = AuditFilterForm(given, names=audit.all_names(request.actor))
    form.is_valid()
    return form


# --- addresses


def next_url(request: ActorRequest, last: Position | None) -> str:
    if last is None:
        return ""
    return address([*without(request.GET, "cursor"), ("cursor", NEWEST_FIRST.cursor(request, last, FILTERS))])


def only_url(query: QueryDict, about: Any) -> str:
    """Return the address of what was done with one deal or client alone, nothing where that is shown already."""
    if about is None or query.get("object") == str(about):
        return ""
    return address([*without(query, "object", "cursor"), ("object", str(about))])


def without(query: QueryDict, *names: str) -> list[tuple[str, str]]:
    """Return the filters of an address but these."""
    return [(name, str(query[name])) for name in FILTERS if name not in names and query.get(name)]


def address(query: list[tuple[str, str]]) -> str:
    return f"{link('accounts:audit_list')}?{urlencode(query)}" if query else link("accounts:audit_list")


def chips(query: QueryDict, form: AuditFilterForm, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the filters that are on, each with the address of the audit without it."""
    words = form.narrowing()
    if about := form.cleaned_data.get("object"):
        words["object"] = next((row["place"][0] for row in rows if row["about"] == about), _("one object"))
    return [{"label": label, "remove_url": address(without(query, name, "cursor"))} for name, label in words.items()]
