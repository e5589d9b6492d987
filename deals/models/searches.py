"""What a person looks for, kept sealed for an hour, so that no address, history or log shows it."""

from django.db import models
from django.utils import timezone

from accounts.models import User
from accounts.models.base import new_id
from lk_site.encryption import EncryptedModel, EncryptedTextField


class Search(EncryptedModel):
    """The text of one search; pages name it by its random id."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    session_id = models.UUIDField()
    text = EncryptedTextField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index("created_at", name="search_sweep")]

    def __str__(self) -> str:
        return f"search {self.pk}"
