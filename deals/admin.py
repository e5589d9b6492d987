"""The work in the admin: deals and clients by masks, pipelines as data."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.admin.columns import admin_url, link, list_url, masked_name, short_id
from accounts.admin.filters import AgencyFilter, IdFilter
from accounts.admin.pages import Outcome, StaffAction, StaffAdmin, StaffForm
from accounts.admin.people import ReasonForm
from accounts.admin.site import site
from accounts.models import Agency, User
from deals.models import Client, Deal, LostReason, Pipeline, Stage, StageKind
from deals.services import looks, pipeline_editing
from deals.services.client_finding import find_clients
from deals.services.pipeline_editing import NAME_AT_MOST, POSITION_AT_MOST, Names
from lk_site.errors import Invalid
from lk_site.form_fields import LineField, PhoneField
from lk_site.formats import mask_phone, money_text, percent_text, phone_text


class FindForm(StaffForm):
    """A number, looked for in one agency: without the agency nothing is found."""

    agency = forms.UUIDField(label=_("Agency (id)"), help_text=_("It stands on the agency's page."))
    phone = PhoneField(label=_("Client's phone"))

    def carry_out(self, actor: Actor) -> Outcome:
        try:
            found = find_clients(self.cleaned_data["agency"], self.cleaned_data["phone"], actor=actor)
        except Agency.DoesNotExist:
            raise Invalid.at("agency", "unknown", _("There is no agency with this id.")) from None
        if not found:
            raise Invalid.at("phone", "unknown", _("No client of this agency has the number."))
        links = [
            link(admin_url(client), format_html("{} · {}", masked_name(client.name), short_id(client.agent_id)))
            for client in found
        ]
        return Outcome(_("Clients with this number:"), links)


class RevealForm(ReasonForm):
    def carry_out(self, actor: Actor) -> Outcome:
        numbers = looks.reveal_phones(self.obj.pk, actor=actor, reason=self.cleaned_data["reason"])
        return Outcome(_("The numbers, shown once; the audit has your reason."), [phone_text(one) for one in numbers])


def is_of_agency(request: HttpRequest) -> bool:
    """Return whether a list is narrowed to one agency."""
    return bool(request.GET.get(AgencyFilter.parameter_name))


def is_live(client: Client) -> bool:
    return client.deleted_at is None


class AgentFilter(IdFilter):
    title = _("agent (id)")
    parameter_name = "agent"
    column = "agent_id"


@admin.register(Client, site=site)
class ClientAdmin(StaffAdmin):
    list_display = ("shown_name", "shown_phones", "shown_agent", "newest_deal_at", "deleted_at")
    list_filter = (AgencyFilter, AgentFilter)
    ordering = ("-newest_deal_at", "-id")
    fields = (
        *("shown_name", "shown_phones", "has_email", "shown_agency", "shown_agent", "deal_links"),
        *("created_at", "updated_at", "newest_deal_at", "deleted_at", "version", "id"),
    )
    list_actions = (StaffAction("find", _("Find by phone"), FindForm),)
    row_actions = (StaffAction("reveal", _("Show the number"), RevealForm, is_live),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        """Return all clients for a page of one, and none for a list before the agency is chosen."""
        clients = Client.objects.select_related("agency").prefetch_related("phones")
        match = request.resolver_match
        is_list = match is not None and match.url_name == "deals_client_changelist"
        return clients.none() if is_list and not is_of_agency(request) else clients

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """List the clients of one agency: the agency comes first."""
        if not is_of_agency(request):
            note = link(list_url(Agency), _("Choose the agency first: its page leads to its clients."))
            return super().changelist_view(request, {"note": note})
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("name"))
    def shown_name(self, client: Client) -> str:
        return masked_name(client.name)

    @admin.display(description=_("phones"))
    def shown_phones(self, client: Client) -> str:
        return ", ".join(client.masked_numbers)

    @admin.display(description=_("e-mail"), boolean=True)
    def has_email(self, client: Client) -> bool:
        return bool(client.email)

    @admin.display(description=_("agency"))
    def shown_agency(self, client: Client) -> SafeString:
        return link(admin_url(client.agency), client.agency)

    @admin.display(description=_("agent"))
    def shown_agent(self, client: Client) -> SafeString:
        return agent_link(client)

    @admin.display(description=_("deals"))
    def deal_links(self, client: Client) -> SafeString:
        deals = Deal.objects.filter(client=client).newest_first()[:50]
        return format_html_join(", ", "{}", [(link(admin_url(deal), deal),) for deal in deals])


def agent_link(row: Client | Deal) -> SafeString:
    return link(admin_url(User(pk=row.agent_id)), short_id(row.agent_id))


@admin.register(Deal, site=site)
class DealAdmin(StaffAdmin):
    list_display = (
        "shown_number",
        "shown_agency",
        "property_address",
        "shown_price",
        "stage",
        "created_at",
        "deleted_at",
    )
    list_filter = (AgencyFilter, AgentFilter, "kind", "stage__kind")
    list_select_related = ("agency", "stage")
    fields = (
        *("shown_number", "shown_agency", "shown_agent", "shown_client", "shown_phone", "kind", "property_type"),
        *("property_address", "shown_price", "shown_commission", "stage", "stage_since", "lost_reason"),
        *("next_step_on", "created_at", "updated_at", "deleted_at", "version", "id"),
    )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order that an index has: of one agency by time, of all by the ids, which sort by time too."""
        return ("-created_at", "-id") if is_of_agency(request) else ("-id",)

    @admin.display(description=_("deal"))
    def shown_number(self, deal: Deal) -> str:
        return f"#{deal.number}"

    @admin.display(description=_("agency"))
    def shown_agency(self, deal: Deal) -> SafeString:
        return link(admin_url(deal.agency), deal.agency)

    @admin.display(description=_("agent"))
    def shown_agent(self, deal: Deal) -> SafeString:
        return agent_link(deal)

    @admin.display(description=_("client"))
    def shown_client(self, deal: Deal) -> SafeString:
        return link(admin_url(deal.client), masked_name(deal.client.name))

    @admin.display(description=_("client's phone"))
    def shown_phone(self, deal: Deal) -> str:
        return ", ".join(mask_phone(number) for number in deal.client.numbers)

    @admin.display(description=_("price"))
    def shown_price(self, deal: Deal) -> str:
        return money_text(deal.price)

    @admin.display(description=_("commission"))
    def shown_commission(self, deal: Deal) -> str:
        return percent_text(deal.commission_percent) or "—"


class NamesForm(StaffForm):
    """Names in both languages, and the place among the like."""

    name_ru = LineField(most=NAME_AT_MOST, label=_("Name in Russian"))
    name_en = LineField(most=NAME_AT_MOST, label=_("Name in English"))
    position = forms.IntegerField(label=_("Position"), min_value=0, max_value=POSITION_AT_MOST)

    def values_now(self) -> dict[str, Any]:
        return {name: getattr(self.obj, name) for name in NamesForm.base_fields}

    @property
    def names(self) -> Names:
        data = self.cleaned_data
        return {"name_ru": data["name_ru"], "name_en": data["name_en"], "position": data["position"]}


class EditPipelineForm(NamesForm):
    def carry_out(self, actor: Actor) -> Outcome:
        pipeline_editing.edit_pipeline(self.obj.pk, self.names, actor=actor)
        return Outcome(_("Saved."))


class EditStageForm(NamesForm):
    def carry_out(self, actor: Actor) -> Outcome:
        stage = pipeline_editing.edit_stage(self.obj.pk, self.names, actor=actor)
        return Outcome(_("Saved."), leads_to=admin_url(stage.pipeline))


class EditReasonForm(NamesForm):
    def carry_out(self, actor: Actor) -> Outcome:
        pipeline_editing.edit_lost_reason(self.obj.pk, self.names, actor=actor)
        return Outcome(_("Saved."))


class AddStageForm(NamesForm):
    code = LineField(most=30, label=_("Code"), help_text=_("For programs: showing, advance. It never changes."))
    kind = forms.ChoiceField(label=_("Kind"), choices=StageKind.choices)

    def values_now(self) -> dict[str, Any]:
        return {}

    def carry_out(self, actor: Actor) -> Outcome:
        code, kind = self.cleaned_data["code"], self.cleaned_data["kind"]
        pipeline_editing.add_stage(self.obj.pk, code, kind, self.names, actor=actor)
        return Outcome(_("The stage is added."))


class AddReasonForm(NamesForm):
    agency = forms.UUIDField(label=_("Agency (id)"), help_text=_("It stands on the agency's page."))
    code = LineField(most=30, label=_("Code"), help_text=_("For programs: price, no_loan. It never changes."))

    def values_now(self) -> dict[str, Any]:
        return {}

    def carry_out(self, actor: Actor) -> Outcome:
        try:
            reason = pipeline_editing.add_lost_reason(
                self.cleaned_data["agency"], self.cleaned_data["code"], self.names, actor=actor
            )
        except Agency.DoesNotExist:
            raise Invalid.at("agency", "unknown", _("There is no open agency with this id.")) from None
        return Outcome(_("The reason is added."), leads_to=admin_url(reason))


@admin.register(Pipeline, site=site)
class PipelineAdmin(StaffAdmin):
    list_display = ("name_ru", "name_en", "kind", "agency", "position")
    list_filter = (AgencyFilter, "kind")
    list_select_related = ("agency",)
    ordering = ("agency", "position")
    fields = ("name_ru", "name_en", "code", "kind", "position", "agency", "stage_links", "id")
    row_actions = (
        StaffAction("edit", _("Change"), EditPipelineForm),
        StaffAction("new-stage", _("Add a stage"), AddStageForm),
    )

    @admin.display(description=_("stages"))
    def stage_links(self, pipeline: Pipeline) -> SafeString:
        stages = pipeline.stages.order_by("position")
        words = [(link(admin_url(stage), stage), stage.get_kind_display()) for stage in stages]
        return format_html_join(" → ", "{} ({})", words)


@admin.register(Stage, site=site)
class StageAdmin(StaffAdmin):
    """Stages are reached from their pipeline."""

    list_display = ("name_ru", "name_en", "kind", "pipeline", "position")
    ordering = ("pipeline", "position")
    list_select_related = ("pipeline",)
    fields = ("name_ru", "name_en", "code", "kind", "position", "pipeline", "id")
    row_actions = (StaffAction("edit", _("Change"), EditStageForm),)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(LostReason, site=site)
class LostReasonAdmin(StaffAdmin):
    list_display = ("name_ru", "name_en", "code", "agency", "position")
    list_filter = (AgencyFilter,)
    list_select_related = ("agency",)
    ordering = ("agency", "position")
    fields = ("name_ru", "name_en", "code", "position", "agency", "id")
    list_actions = (StaffAction("new", _("Add a reason"), AddReasonForm),)
    row_actions = (StaffAction("edit", _("Change"), EditReasonForm),)
