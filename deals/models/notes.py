"""Notes that people leave on a deal's timeline."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import ApiKey, User
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
    author = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    key = models.ForeignKey(ApiKey, models.PROTECT, null=True, related_name="+", db_index=False)  # the program's
    text_event_id = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    objects = NoteQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("deal", name="note_of_deal")]
        constraints = [
            models.CheckConstraint(
                name="note_has_one_author",
                condition=Q(author__isnull=False, key=None) | Q(author=None, key__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"note {self.pk}"

    def is_by(self, actor: "Actor") -> bool:
        """Return whether the actor wrote it: a person, or a program."""
        return actor.id is not None and actor.id in (self.author_id, self.key_id)
