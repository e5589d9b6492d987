"""Forms that were posted into an ended session: kept sealed for their person and browser, an hour, and never sent."""

import json
import secrets
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import KeptForm
from accounts.models.base import hash_of
from accounts.services.unit_of_work import unit_of_work
from lk_site.encryption import Unreadable

Values = dict[str, list[str]]

TOKEN_BYTES = 24
KEPT_AT_MOST = 10  # forms of one person: an ended session of his could be used to fill the table
PATH_AT_MOST = KeptForm._meta.get_field("path").max_length or 0
BODY_AT_MOST = settings.FORM_BYTES_AT_MOST


@unit_of_work
def keep(values: Values, *, user_id: UUID, token: str, path: str, page: str) -> str:
    """Keep what a person typed and return the token for the browser's cookie, or nothing for what is too large to keep.

    `path` is where it was posted to, `page` where the form stands. The same form again takes the place of the first.
    """
    body = json.dumps(values, ensure_ascii=False)
    if len(body.encode()) > BODY_AT_MOST or max(len(path), len(page)) > PATH_AT_MOST:
        return ""
    forget_others(token, user_id)
    token = token or secrets.token_urlsafe(TOKEN_BYTES)
    mine = KeptForm.objects.filter(user_id=user_id)
    mine.filter(token_hash=hash_of(token), path=path).delete()
    mine.filter(pk__in=list(mine.order_by("-id").values_list("pk", flat=True)[KEPT_AT_MOST - 1 :])).delete()
    KeptForm(token_hash=hash_of(token), user_id=user_id, path=path, page=page, body=body).save(force_insert=True)
    return token


def find(token: str, *, user_id: UUID, page: str) -> dict[str, Values]:
    """Return what this person lost in this browser on a page or at its address: by the path it was posted to."""
    at_this_page = models.Q(page=page) | models.Q(path=page)
    rows = of_browser(token).filter(
        at_this_page, user_id=user_id, created_at__gt=timezone.now() - settings.KEPT_FORM_LIFE
    )
    return {row.path: json.loads(row.body) for row in rows if not isinstance(row.body, Unreadable)}


@unit_of_work
def forget(token: str, *, user_id: UUID, path: str) -> None:
    """Delete what was kept of a form that has been sent now."""
    of_browser(token).filter(user_id=user_id, path=path).delete()


@unit_of_work
def forget_others(token: str, user_id: UUID) -> None:
    """Delete what others lost in this browser: somebody else has logged in."""
    of_browser(token).exclude(user_id=user_id).delete()


@unit_of_work
def sweep(now: datetime) -> None:
    """Delete what was kept longer than an hour."""
    KeptForm.objects.filter(created_at__lte=now - settings.KEPT_FORM_LIFE).delete()


def of_browser(token: str) -> models.QuerySet[KeptForm]:
    return KeptForm.objects.filter(token_hash=hash_of(token))
