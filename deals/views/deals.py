"""The card of a deal, and the forms that create and edit one."""

from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.services.idempotency import FormAlreadyUsed, once, text_of_form
from deals import lookups
from deals.forms.deals import PARTS, CreateDealForm, DealTermsForm, MoveDealForm, NoteForm
from deals.models import Client, Deal, Stage
from deals.presenters import (
    Reader,
    client_name,
    deal_buttons,
    deal_card,
    phones_of,
    stage_steps,
    stage_times,
    undo_button,
)
from deals.services import deals
from deals.services.clients import ClientExists
from deals.services.deal_reading import reasons_of, stages_of, whole_deal
from deals.services.looks import look_at
from deals.timeline_page import timeline_page
from deals.views.conflicts import deal_conflict
from lk_site import form_keys
from lk_site.errors import Invalid, Stale
from lk_site.flashes import flash
from lk_site.form_fields import show_refusal
from lk_site.form_keys import with_new_key
from lk_site.formats import phone_text
from lk_site.links import link

NOT_TEXT = (*form_keys.NOT_TEXT, "client")


@require_safe
def deal_detail(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Show a deal. To its own agent the number is shown, and that is recorded."""
    deal = whole_deal(deal_id, actor=request.actor)
    return card_page(request, deal, note_form(request, deal))


def card_page(
    request: ActorRequest, deal: Deal, note: NoteForm, *, is_revealed: bool = False, status: int = 200
) -> HttpResponse:
    """Render the card of a deal, with what was typed into its note form."""
    actor, reader = request.actor, Reader.of(request.actor)
    is_open = is_revealed or look_at(deal.client, actor=actor)
    stages, can = stages_of(deal), deal_buttons(deal, actor)
    context = {
        "deal": deal_card(deal, reader),
        "phones": phones_of(deal.client, is_open=is_open),
        "reveal_url": "" if is_open else link("deals:client_reveal", deal.client_id),
        "stages": stage_steps(stages, deal),
        "stage_times": stage_times(stages, deal, reader),
        "next_stage": next_stage(stages, deal),
        "move_form": move_form(deal, stages) if can["move"] else None,
        "note_form": note,
        "fact_form": lost_fact(request, deal),
        "can": can,
        "undo": undo_button(deal, actor, reader),
        "suggests": lookups.are_on(),
        **timeline_page(request, deal, reader),
    }
    return render(request, "deals/deal_detail.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def deal_create(request: ActorRequest) -> HttpResponse:
    """Create a deal, once for however many clicks."""
    if request.method != "POST":
        return form_page(request, CreateDealForm(initial=new_deal(request)))
    form = CreateDealForm(request.POST)
    if not form.is_valid():
        return form_page(request, form, status=422)
    try:
        return redirect(created(request, form))
    except FormAlreadyUsed as used:
        return exists_page(request, used)
    except ClientExists as clash:
        return form_page(request, form, status=409, client_clash=clash_of(clash.existing, form))
    except Invalid as refused:
        show_refusal(form, refused)
        return form_page(request, form, status=422)


def created(request: ActorRequest, form: CreateDealForm) -> str:
    """Create the deal and return its address; a repeat of the same form returns the same one."""

    def effect() -> tuple[str, UUID]:
        deal = deals.create_deal(**form.deal(), actor=request.actor)
        return link("deals:deal_detail", deal.pk), deal.pk

    key = str(form.cleaned_data["form_key"])
    text = text_of_form(dict(request.POST.lists()), NOT_TEXT)
    return once("form deal_create", key, text, actor=request.actor, effect=effect)


@require_http_methods(["GET", "HEAD", "POST"])
def deal_edit(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Change a deal, or the one fact of it that `?field=` names.

    Where somebody else was quicker, both values are shown and neither is lost.
    """
    deal = Deal.objects.visible_to(request.actor).whole().get(pk=deal_id)
    only = asked_fact(request)
    if request.method != "POST":
        initial = DealTermsForm.initial_of(deal) | kept_initial(request)
        return form_page(request, DealTermsForm(initial=initial, only=only), deal)
    if "carry" in request.POST:
        return form_page(request, deal_conflict(request.POST, deal), deal)
    form = DealTermsForm(request.POST, only=only)
    if not form.is_valid():
        return form_page(request, form, deal, status=422)
    try:
        version = form.cleaned_data["version"]
        saved = deals.edit_deal(deal_id, form.terms(), actor=request.actor, version=version)
    except Stale as stale:
        fresh = Deal.objects.visible_to(request.actor).whole().get(pk=deal_id)
        form = deal_conflict(request.POST, fresh, only=only)
        return form_page(request, form, fresh, status=stale.status, stale=stale)
    except Invalid as refused:
        show_refusal(form, refused)
        return form_page(request, form, deal, status=422)
    flash(request, _("Saved.") if saved.version != version else _("Nothing was changed."))
    return redirect("deals:deal_detail", deal_id)


# --- pages


def form_page(
    request: ActorRequest, form: DealTermsForm, deal: Deal | None = None, *, status: int = 200, **context: Any
) -> HttpResponse:
    named = {"id": deal.pk, "number": deal.number} if deal else None
    template = "deals/deal_fact.html" if form.only else "deals/deal_form.html"
    context |= {"form": form, "deal": named, "suggests": lookups.are_on()}
    return render(request, template, context, status=status)


def exists_page(request: ActorRequest, used: FormAlreadyUsed) -> HttpResponse:
    """Say that the form became a deal already, and offer to carry the new text into it or into another deal."""
    made = {"pk": used.object_id}
    deal = Deal.objects.visible_to(request.actor).whole().filter(**made).first()
    form = CreateDealForm(with_new_key(request.POST))
    if deal is None:  # thrown away or handed over meanwhile
        return form_page(request, form)
    context = {
        "deal": {"number": deal.number, "url": used.target, "client_name": client_name(deal.client)},
        "form": form,
        "edit_url": link("deals:deal_edit", deal.pk),
        "create_url": link("deals:deal_create"),
    }
    return render(request, "deals/deal_exists.html", context, status=409)


def new_deal(request: ActorRequest) -> dict[str, Any]:
    """Return what a new form starts with: its one-time key, what was lost, or the client it was opened for."""
    return {"form_key": uuid4(), **for_client(request), **kept_initial(request)}


def for_client(request: ActorRequest) -> dict[str, Any]:
    try:
        client = Client.objects.visible_to(request.actor).whole().get(pk=UUID(request.GET.get("client", "")))
    except (ValueError, Client.DoesNotExist):
        return {}
    if not look_at(client, actor=request.actor):
        return {"client_name": client.name or ""}
    return {"client_phone": phone_text(client.numbers[0]), "client_name": client.name or ""}


def clash_of(existing: Client, form: CreateDealForm) -> dict[str, Any]:
    return {
        "id": existing.pk,
        "name": client_name(existing),
        "url": link("deals:client_detail", existing.pk),
        "typed_name": form.cleaned_data["client_name"],
    }


# --- parts of the card


def asked_fact(request: ActorRequest) -> str:
    """Return the fact that an address asks to change by itself, or nothing for the whole form."""
    name = request.GET.get("field", "")
    return name if name in PARTS else ""


def lost_fact(request: ActorRequest, deal: Deal) -> DealTermsForm | None:
    """Return the form of the fact that was being changed on the card when the session ended, with what was typed."""
    kept = kept_initial(request, link("deals:deal_edit", deal.pk))
    only = next((name for name, (first, *_rest) in PARTS.items() if first in kept), "")
    return DealTermsForm(initial=DealTermsForm.initial_of(deal) | kept, only=only) if only else None


def next_stage(stages: list[Stage], deal: Deal) -> Stage | None:
    """Return the stage that usually comes next, None for a closed deal."""
    later = [stage for stage in stages if stage.position > deal.stage.position]
    return later[0] if deal.is_open and later else None


def move_form(deal: Deal, stages: list[Stage]) -> MoveDealForm:
    choices: dict[str, Any] = {"stages": stages, "reasons": reasons_of(deal), "is_reopening": not deal.is_open}
    return MoveDealForm(initial={"version": deal.version}, auto_id="move_%s", **choices)


def note_form(request: ActorRequest, deal: Deal) -> NoteForm:
    action = link("deals:note_add", deal.pk)
    return NoteForm(initial={"form_key": uuid4(), **kept_initial(request, action)})
