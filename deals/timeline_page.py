"""The timeline of a deal as a page shows it."""

from copy import copy
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.actor import ActorRequest
from accounts.models import Action
from deals.models import Deal
from deals.presenters import Reader
from deals.services.timeline import NEWEST_FIRST, TimelineEntry, read_timeline
from lk_site.cursors import Position
from lk_site.links import link

ENTRIES = 30
ICONS = {
    Action.DEAL_CREATED: "plus",
    Action.DEAL_CHANGED: "pencil",
    Action.DEAL_MOVED: "arrow-right",
    Action.DEAL_MOVE_UNDONE: "undo-2",
    Action.DEAL_REOPENED: "undo-2",
    Action.DEAL_HANDED_OVER: "arrow-right-left",
    Action.DEAL_TRASHED: "trash-2",
    Action.DEAL_RESTORED: "undo-2",
    Action.NOTE_ADDED: "message-square-text",
    Action.NOTE_EDITED: "pencil",
    Action.NOTE_DELETED: "trash-2",
    Action.CLIENT_REVEALED: "eye",
    Action.CLIENT_CHANGED: "user",
}


def timeline_page(request: ActorRequest, deal: Deal, reader: Reader) -> dict[str, Any]:
    """Return a page of the timeline as the card's context."""
    page = read_timeline(deal, actor=request.actor, limit=ENTRIES, after=NEWEST_FIRST.position_of_page(request))
    return {
        "entries": [entry(deal, told, reader) for told in page.entries],
        "entries_next_url": next_url(request, deal, page.last),
    }


def next_url(request: HttpRequest, deal: Deal, last: Position | None) -> str:
    if last is None:
        return ""
    card = copy(request)  # the card may be the answer to a form that was posted elsewhere
    card.path = link("deals:deal_detail", deal.pk)
    return f"{card.path}?cursor={NEWEST_FIRST.cursor(card, last, ())}#timeline"


def entry(deal: Deal, told: TimelineEntry, reader: Reader) -> dict[str, Any]:
    """Return one entry as ready strings."""
    shown = {
        "id": told.id,
        "icon": ICONS[told.action],
        "title": title(told),
        "who": who.name if (who := told.actor or told.key) else "",
        "when": reader.when(told.at),
        "text": told.text,
        "is_note": told.action == Action.NOTE_ADDED,
        "is_gone": told.is_text_erased,
        "is_edited": told.is_edited,
    }
    return shown | note_buttons(deal.pk, told.note_id) if told.note_id and told.is_editable else shown


def note_buttons(deal_id: UUID, note_id: UUID) -> dict[str, str]:
    return {
        "edit_url": link("deals:note_edit", deal_id, note_id),
        "delete_url": link("deals:note_delete", deal_id, note_id),
    }


def title(told: TimelineEntry) -> str:
    """Return what happened, as a short line that begins with a capital."""
    if told.was_agent and told.now_agent:
        return _("Handed over: %(was)s → %(now)s") % {"was": told.was_agent.name, "now": told.now_agent.name}
    if told.was_stage and told.now_stage:
        move = f"{told.was_stage} → {told.now_stage}"
        return f"{move}: {told.lost_reason}" if told.lost_reason else move
    line = f"{told.label}: {', '.join(told.field_labels)}" if told.fields else told.label
    return line[:1].upper() + line[1:]
