"""Notes on a deal's timeline."""

from typing import Any
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.models import Action, EventText
from accounts.services.idempotency import FormAlreadyUsed, once, text_of_form
from deals.forms.deals import NoteForm
from deals.models import Deal, Note
from deals.services import notes
from deals.services.permissions import may
from deals.views.deals import NOT_TEXT, card_page
from lk_site.flashes import flash
from lk_site.form_keys import with_new_key
from lk_site.links import link


@require_POST
def note_add(request: ActorRequest, deal_id: UUID) -> HttpResponse:
    """Add a note, once for however many clicks."""
    deal = Deal.objects.visible_to(request.actor).whole().get(pk=deal_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return card_page(request, deal, form, status=422)
    try:
        return redirect(added(request, deal, form))
    except FormAlreadyUsed:  # the same page sent another text: another note
        form = NoteForm(with_new_key(request.POST))
        form.is_valid()
        return redirect(added(request, deal, form))


def added(request: ActorRequest, deal: Deal, form: NoteForm) -> str:
    """Add the note and return the address of the timeline; a repeat of the same form adds nothing."""

    def effect() -> tuple[str, UUID]:
        note = notes.add_note(deal.pk, form.cleaned_data["text"], actor=request.actor)
        return link("deals:deal_detail", deal.pk) + "#timeline", note.pk

    key = str(form.cleaned_data["form_key"] or uuid4())
    text = text_of_form(dict(request.POST.lists()), NOT_TEXT)
    return once(f"form note_add {deal.pk}", key, text, actor=request.actor, effect=effect)


@require_http_methods(["GET", "HEAD", "POST"])
def note_edit(request: ActorRequest, deal_id: UUID, note_id: UUID) -> HttpResponse:
    """Change one's own note."""
    note = visible_note(request, deal_id, note_id)
    may(request.actor, Action.NOTE_EDITED, note)
    if request.method != "POST":
        text = EventText.objects.get(pk=note.text_event_id).text
        return note_page(request, NoteForm(initial={"text": text, **kept_initial(request)}), note)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return note_page(request, form, note, status=422)
    notes.edit_note(deal_id, note_id, form.cleaned_data["text"], actor=request.actor)
    return to_timeline(deal_id)


@require_POST
def note_delete(request: ActorRequest, deal_id: UUID, note_id: UUID) -> HttpResponse:
    """Delete one's own note."""
    notes.delete_note(deal_id, note_id, actor=request.actor)
    flash(request, _("The note is deleted."))
    return to_timeline(deal_id)


def visible_note(request: ActorRequest, deal_id: UUID, note_id: UUID) -> Note:
    """Return a live note of a deal that the person sees. Raises Deal.DoesNotExist, Note.DoesNotExist."""
    deal = Deal.objects.visible_to(request.actor).get(pk=deal_id)
    return Note.objects.get(pk=note_id, deal=deal, deleted_at=None)


def note_page(request: ActorRequest, form: NoteForm, note: Note, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {"deal": {"id": note.deal_id}, "form": form, "edit_url": request.path}
    return render(request, "deals/note_edit.html", context, status=status)


def to_timeline(deal_id: UUID) -> HttpResponse:
    return redirect(link("deals:deal_detail", deal_id) + "#timeline")
