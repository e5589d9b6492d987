"""Evidence of nothing in particular."""

from datetime import datetime
from typing import Any

from django.db.models import Model

from accounts.actor import Actor
from accounts.models import Action, Event
from accounts.services.unit_of_work import record, unit_of_work


@unit_of_work
def record_now(actor: Actor, action: Action, obj: Model | None = None, **facts: Any) -> Event:
    """Record one event in a unit of work of its own."""
    return record(actor, action, obj, **facts)


@unit_of_work
def record_at(at: datetime, actor: Actor, action: Action, obj: Model | None = None, **facts: Any) -> Event:
    """Record one event as if it had happened then; it is chained like any other."""
    event = record(actor, action, obj, **facts)
    event.at = at
    return event
