"""Notes on a deal's timeline. Their texts belong to events: editing adds one, deleting blanks them all."""

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action, Event
from accounts.services.unit_of_work import erase_text, record, unit_of_work
from deals.models import Deal, Note
from deals.services.permissions import may
from lk_site.errors import Invalid

NOTE_ACTIONS = (Action.NOTE_ADDED, Action.NOTE_EDITED)


@unit_of_work
def add_note(deal_id: UUID, text: str, *, actor: Actor) -> Note:
    """Add a note to a deal. Raises Deal.DoesNotExist, NotAllowed, Invalid for an empty text."""
    deal = Deal.objects.visible_to(actor).get(pk=deal_id)
    may(actor, Action.NOTE_ADDED, deal)
    require_text(text)
    note = Note(deal=deal, author=actor.user, key=actor.key)
    event = record(actor, Action.NOTE_ADDED, note, agency_id=deal.agency_id, client_id=deal.client_id, text=text)
    note.text_event_id = event.pk
    note.save(force_insert=True)
    return note


@unit_of_work
def edit_note(deal_id: UUID, note_id: UUID, text: str, *, actor: Actor) -> Note:
    """Change the text of one's own note. Raises Deal.DoesNotExist, Note.DoesNotExist, NotAllowed, Invalid."""
    note = lock_note(deal_id, note_id, actor)
    may(actor, Action.NOTE_EDITED, note)
    require_text(text)
    event = record(actor, Action.NOTE_EDITED, note, agency_id=note.deal.agency_id, text=text)
    note.text_event_id, note.edited_at = event.pk, timezone.now()
    note.save(update_fields=["text_event_id", "edited_at"])
    return note


@unit_of_work
def delete_note(deal_id: UUID, note_id: UUID, *, actor: Actor) -> None:
    """Delete one's own note: every text it ever had is blanked, its events stay.

    Raises Deal.DoesNotExist, Note.DoesNotExist, NotAllowed.
    """
    note = lock_note(deal_id, note_id, actor)
    may(actor, Action.NOTE_DELETED, note)
    note.deleted_at = timezone.now()
    note.save(update_fields=["deleted_at"])
    events = Event.objects.filter(object_id=note.pk, action__in=NOTE_ACTIONS)
    erase_text(events.values_list("pk", flat=True))
    record(actor, Action.NOTE_DELETED, note, agency_id=note.deal.agency_id)


def lock_note(deal_id: UUID, note_id: UUID, actor: Actor) -> Note:
    """Return a live note of a deal that the actor sees, locked. Raises Deal.DoesNotExist, Note.DoesNotExist."""
    deal = Deal.objects.visible_to(actor).get(pk=deal_id)
    note = Note.objects.select_for_update().get(pk=note_id, deal=deal, deleted_at=None)
    note.deal = deal
    return note


def require_text(text: str) -> None:
    if not text:
        raise Invalid.at("text", "required", _("Write the note."))
