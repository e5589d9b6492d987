"""Backups: when the last was made, when one proved itself, and in plain words what is late or wrong."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin.columns import written
from accounts.admin.pages import StaffAdmin
from accounts.admin.site import site
from accounts.models import Backup
from accounts.services import backups


@admin.register(Backup, site=site)
class BackupAdmin(StaffAdmin):
    list_display = ("name", "made_at", "size", "rows", "verified_at", "failure", "removed_at")
    ordering = ("-made_at",)
    fields = ("name", "made_at", "size", "rows", "verified_at", "failed_at", "failure", "removed_at")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"note": note(), **(extra_context or {})})

    @admin.display(description=_("size"))
    def size(self, backup: Backup) -> str:
        return filesizeformat(backup.bytes)


def note() -> str:
    """Return when a backup was made and verified last, and what is wrong."""
    state = backups.state(timezone.now())
    made = _("Last backup: %s.") % written(state.made and state.made.made_at)
    verified = _("Last verified: %s.") % written(state.verified and state.verified.verified_at)
    return " ".join(str(sentence) for sentence in (made, verified, *state.complaints))
