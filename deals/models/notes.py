"""Notes that people leave on a deal's timeline."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from accounts.models import User
from accounts.models.base import new_id
from deals.models.deals import Deal

if TYPE_CHECKING:
    from accounts.actor import Actor


class NoteQuerySet(models.QuerySet["Note"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Notes, not deleted, of deals that the actor sees."""
        return self.filter(deleted_at=None, deal__in=Deal.objects.visible_to(actor))


class Note(models.Model):
    """A note on a deal. Its text stands in the `EventText` of the event that wrote it last."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    deal = models.ForeignKey(Deal, models.CASCADE, related_name="note_entries", db_index=False)
    author = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    text_event_id = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    objects = NoteQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("deal", name="note_of_deal")]

    def __str__(self) -> str:
        return f"note {self.pk}"
