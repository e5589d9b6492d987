"""Where a deal goes: along its pipeline, back from the last move, or to another agent."""

from typing import Any, TypeVar, cast
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.models import Action, User
from deals.forms.deals import HandOverForm, MoveDealForm, VersionedForm
from deals.models import Deal
from deals.presenters import client_name, stage_steps
from deals.services import hand_over, pipeline
from deals.services.deal_reading import reasons_of, stages_of
from deals.services.hand_over import SameAgent
from deals.services.permissions import may
from deals.views.conflicts import of_version
from lk_site.errors import Invalid, Stale
from lk_site.flashes import flash
from lk_site.form_fields import show_refusal
from lk_site.links import link

Form = TypeVar("Form", bound=VersionedForm)


@require_http_methods(["GET", "HEAD", "POST"])
def deal_move(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Move a deal to another stage."""
    deal = Deal.objects.visible_to(request.actor).whole().get(pk=deal_id)
    choices: dict[str, Any] = {"stages": stages_of(deal), "reasons": reasons_of(deal), "is_reopening": not deal.is_open}
    if request.method != "POST":
        may(request.actor, Action.DEAL_MOVED if deal.is_open else Action.DEAL_REOPENED, deal)
        initial = {"version": deal.version, "to": request.GET.get("to"), **kept_initial(request)}
        return move_page(request, MoveDealForm(initial=initial, **choices), deal)
    form = MoveDealForm(request.POST, **choices)
    if not form.is_valid():
        return move_page(request, form, deal, status=422)
    try:
        moved = pipeline.move_deal(deal_id, actor=request.actor, **form.cleaned_data)
    except (Invalid, pipeline.StageClosed, pipeline.SameStage) as refused:
        show_refusal(form, refused)
        return move_page(request, form, deal, status=422)
    except Stale as stale:
        return move_page(request, renewed(form, deal, stale, **choices), deal, status=stale.status)
    undo = link("deals:deal_undo_move", deal_id)
    flash(request, _("Moved to %s.") % moved.stage.name, undo_url=undo, undo_version=moved.version)
    return redirect("deals:deal_detail", deal_id)


@require_POST
def deal_undo_move(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Take back one's own last move."""
    undone = pipeline.undo_move(deal_id, actor=request.actor, version=version_of(request))
    flash(request, _("Back in %s.") % undone.stage.name)
    return redirect("deals:deal_detail", deal_id)


@require_http_methods(["GET", "HEAD", "POST"])
def deal_hand_over(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Give a deal to another agent of the agency."""
    deal = Deal.objects.visible_to(request.actor).whole().get(pk=deal_id)
    may(request.actor, Action.DEAL_HANDED_OVER, deal)
    agents = list(User.objects.visible_to(request.actor).active().exclude(pk=deal.agent_id).order_by("pk"))
    if request.method != "POST":
        return hand_over_page(request, HandOverForm(initial={"version": deal.version}, agents=agents), deal)
    form = HandOverForm(request.POST, agents=agents)
    if not form.is_valid():
        return hand_over_page(request, form, deal, status=422)
    try:
        agent = UUID(form.cleaned_data["agent"])
        given = hand_over.hand_over_deal(deal_id, agent, actor=request.actor, version=form.cleaned_data["version"])
    except (Invalid, SameAgent) as refused:
        show_refusal(form, refused)
        return hand_over_page(request, form, deal, status=422)
    except Stale as stale:
        return hand_over_page(request, renewed(form, deal, stale, agents=agents), deal, status=stale.status)
    flash(request, _("Handed over to %s.") % (given.agent.name or ""))
    return redirect("deals:deal_detail", deal_id)


def renewed(form: Form, deal: Deal, stale: Stale, **choices: Any) -> Form:
    """Return the form as it was chosen, of the present version, with the sentence that somebody was quicker."""
    fresh = type(form)(of_version(cast(QueryDict, form.data), deal.version), **choices)
    fresh.is_valid()
    show_refusal(fresh, stale)
    return fresh


def version_of(request: ActorRequest) -> int | None:
    """Return the version that a button carries, None for one that carries none."""
    form = VersionedForm(request.POST)
    return form.cleaned_data["version"] if form.is_valid() else None


def move_page(request: ActorRequest, form: MoveDealForm, deal: Deal, *, status: int = 200) -> HttpResponse:
    context = {"deal": named(deal), "form": form, "stages": stage_steps(form.stages, deal)}
    return render(request, "deals/deal_move.html", context, status=status)


def hand_over_page(request: ActorRequest, form: VersionedForm, deal: Deal, *, status: int = 200) -> HttpResponse:
    return render(request, "deals/deal_hand_over.html", {"deal": named(deal), "form": form}, status=status)


def named(deal: Deal) -> dict[str, Any]:
    return {
        "id": deal.pk,
        "number": deal.number,
        "client_name": client_name(deal.client),
        "agent_name": deal.agent.name or "",
    }
