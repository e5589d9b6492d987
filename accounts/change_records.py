"""Change records of django-auditlog, for the admin: that fields of a row changed, and who did it; never a value.

Its diff and its log are used, its middleware and `set_actor` are not: they load session and user on each request and
believe a header that anyone can forge. `accounts.services.unit_of_work` stamps actor, address and request.
"""

from collections.abc import Iterable

from auditlog.registry import auditlog
from django.db import models

MASK = "accounts.models.evidence.nothing_of"


def register() -> None:
    """Track what `accounts` has; other apps track their own models when they are ready."""
    from accounts.models import Agency, User

    track(Agency, ["name", "closed_at"])
    track(User, ["agency", "role", "phone", "name", "login", "password", "language", "time_zone", "theme", "is_active"])


def track(model: type[models.Model], fields: Iterable[str]) -> None:
    """Record changes of these fields of a model. Every one is masked: to a thief a price tells as much as a phone."""
    names = list(fields)
    auditlog.register(model, include_fields=names, mask_fields=names, mask_callable=MASK)
