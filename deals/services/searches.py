"""What a person looks for, kept for an hour: pages name it by a random id, so that no address or log shows it."""

from datetime import datetime
from uuid import UUID, uuid4

from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from accounts.services.unit_of_work import unit_of_work
from deals.models import Search


@unit_of_work
def keep_search(text: str, *, actor: Actor) -> UUID:
    """Keep what this session looks for, sealed, and return the random id that stands for it in addresses."""
    search = Search(id=uuid4(), text=text, **own(actor))
    search.save(force_insert=True)
    return search.pk


def read_search(search_id: UUID, *, actor: Actor) -> str:
    """Return what the actor's session looks for. Raises Search.DoesNotExist for another session's or after an hour."""
    since = timezone.now() - settings.SEARCH_LIFE
    return Search.objects.get(pk=search_id, created_at__gt=since, **own(actor)).text


def sweep_searches(now: datetime) -> None:
    """Forget searches whose hour is over."""
    Search.objects.filter(created_at__lte=now - settings.SEARCH_LIFE).delete()


def own(actor: Actor) -> dict[str, UUID]:
    """Return whose a search is: a person's, in one of his sessions."""
    assert actor.user_id
    assert actor.session_id
    return {"user_id": actor.user_id, "session_id": actor.session_id}
