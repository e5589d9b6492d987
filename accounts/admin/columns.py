"""How values stand in the admin: labelled, linked, and masked where they are personal."""

from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from lk_site.encryption import Unreadable

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

LABELS: dict[str, "_StrOrPromise"] = {  # of columns that nobody but staff reads
    "timestamp": _("time"),
    "object_pk": _("object (id)"),
    "remote_addr": _("address"),
    "created_at": _("created"),
    "updated_at": _("changed"),
    "closed_at": _("closed"),
    "deleted_at": _("in the trash since"),
    "logged_in_at": _("last login"),
    "newest_deal_at": _("newest deal"),
    "stage_since": _("at this stage since"),
    "next_step_on": _("next step on"),
    "lost_reason": _("lost reason"),
    "consent_version": _("consent, version"),
    "version": _("version"),
    "fields": _("changed fields"),
    "data": _("facts"),
    "deal_id": _("deal (id)"),
    "client_id": _("client (id)"),
    "attempts": _("attempts"),
    "due_at": _("due"),
    "useless_at": _("the code dies"),
    "settled_at": _("settled"),
    "started_at": _("begun"),
    "succeeded_at": _("last success"),
    "done_at": _("ended"),
    "failing_since": _("failing since"),
    "switched_off_at": _("off since"),
    "gateway_id": _("number at the gateway"),
    "gateway_status": _("answer of the gateway"),
}


def admin_url(obj: Model) -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[quote(obj.pk)])


def list_url(model: type[Model], **filters: Any) -> str:
    """Return the address of a list, narrowed."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{'&'.join(f'{name}={value}' for name, value in filters.items())}"


@cache
def named(name: str) -> Any:
    """Return a column by its name, under the words of LABELS where it has some."""
    if name not in LABELS:
        return name

    @admin.display(description=LABELS[name])
    def column(obj: Any) -> str:
        return written(getattr(obj, name))

    column.__name__ = name
    return column


def written(value: Any) -> str:
    """Write a value of a column for people."""
    if value in (None, "", [], {}):
        return "—"
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "SHORT_DATE_FORMAT")
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def evidence_of(obj: Model) -> str:
    """Return the address of all events about a row."""
    from accounts.models import Event

    return list_url(Event, object=obj.pk)


def link(url: str, text: object) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


def short_id(pk: object) -> SafeString:
    """Write an id by its end, which tells rows apart, the whole of it in the title."""
    return format_html('<code title="{}">…{}</code>', pk, str(pk)[-8:])


def masked_name(name: str | None) -> str:
    """Write a name so that staff can tell rows apart: the first letter of each word."""
    if name is None:
        return "—"
    if isinstance(name, Unreadable):
        return str(name)
    return " ".join(f"{word[0]}•••" for word in name.split())
