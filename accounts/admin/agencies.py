"""Agencies: found by name, opened, renamed, closed when empty. The way to their people, deals and clients."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.admin.columns import admin_url, link, list_url
from accounts.admin.pages import Outcome, StaffAction, StaffAdmin, StaffForm
from accounts.admin.site import site
from accounts.models import Agency, ApiKey, User
from accounts.services import agencies
from accounts.services.agencies import AGENCY_NAME_AT_MOST
from lk_site.form_fields import LineField


class AgencyForm(StaffForm):
    """The name of an agency."""

    name = LineField(most=AGENCY_NAME_AT_MOST, label=_("Name"))


class OpenForm(AgencyForm):
    def carry_out(self, actor: Actor) -> Outcome:
        agency = agencies.add_agency(self.cleaned_data["name"], actor=actor)
        return Outcome(_("The agency is open. Add its head now."), leads_to=admin_url(agency))


class RenameForm(AgencyForm):
    def values_now(self) -> dict[str, Any]:
        return {"name": self.obj.name}

    def carry_out(self, actor: Actor) -> Outcome:
        agencies.rename_agency(self.obj.pk, self.cleaned_data["name"], actor=actor)
        return Outcome(_("The agency has its new name."))


class CloseForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        agencies.close_agency(self.obj.pk, actor=actor)
        return Outcome(_("The agency is closed. Its evidence stays."))


def is_open(agency: Agency) -> bool:
    return agency.closed_at is None


@admin.register(Agency, site=site)
class AgencyAdmin(StaffAdmin):
    list_display = ("shown_name", "created_at", "closed_at", "ways")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    search_fields = ("name",)
    search_help_text = _("A part of the name, or the id")
    ordering = ("-id",)
    fields = ("shown_name", "id", "created_at", "closed_at", "people_count", "ways")
    list_actions = (StaffAction("open", _("Open an agency"), OpenForm),)
    row_actions = (
        StaffAction("rename", _("Rename"), RenameForm, is_open),
        StaffAction("close", _("Close"), CloseForm, is_open),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by a part of the name in any case: SQLite cannot fold Cyrillic."""
        term = search_term.strip()
        spellings = {term, term.lower(), term.upper(), term.capitalize(), term.title()}
        wanted = Q()
        for spelling in spellings:
            wanted |= Q(name__contains=spelling)
        return queryset.filter(wanted | Q(pk=term) if is_uuid(term) else wanted), False

    @admin.display(description=_("name"))
    def shown_name(self, agency: Agency) -> str:
        return agency.name or str(_("(one agent, no name)"))

    @admin.display(description=_("people"))
    def people_count(self, agency: Agency) -> int:
        return User.objects.filter(agency=agency).count()

    @admin.display(description=_("look at"))
    def ways(self, agency: Agency) -> SafeString:
        models: list[type[Model]] = [
            User,
            ApiKey,
            *(apps.get_model("deals", name) for name in ("Client", "Deal", "Pipeline", "LostReason")),
        ]
        pairs = [(link(list_url(model, agency=agency.pk), model._meta.verbose_name_plural),) for model in models]
        return format_html_join(" · ", "{}", pairs)


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
