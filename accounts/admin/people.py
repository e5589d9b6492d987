"""Agents, as staff look after them: by masks, each change through a service, each reveal with a reason."""

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.actor import Actor
from accounts.admin.columns import admin_url, link, masked_name
from accounts.admin.filters import AgencyFilter
from accounts.admin.pages import Outcome, StaffAction, StaffAdmin, StaffForm
from accounts.admin.site import site
from accounts.models import Agency, Role, Session, User
from accounts.services import factors, people
from accounts.services.people import NAME_AT_MOST, REASON_AT_MOST
from lk_site.errors import Invalid
from lk_site.form_fields import LineField, PhoneField, TextField
from lk_site.formats import mask_phone, phone_text


class ReasonForm(StaffForm):
    """Why a number is needed: it is written into the audit before the number is shown."""

    reason = TextField(
        most=REASON_AT_MOST,
        label=_("Why you need the number"),
        help_text=_("The audit keeps the reason and your name."),
        widget=forms.Textarea({"rows": 3}),
    )


class AddForm(StaffForm):
    agency = forms.UUIDField(label=_("Agency (id)"), help_text=_("It stands on the agency's page."))
    phone = PhoneField(agent=True, label=_("Phone"))
    name = LineField(most=NAME_AT_MOST, label=_("Name"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)

    def carry_out(self, actor: Actor) -> Outcome:
        fields = dict(self.cleaned_data)
        try:
            agent = people.add_agent(fields.pop("agency"), actor=actor, **fields)
        except Agency.DoesNotExist:
            raise Invalid.at("agency", "unknown", _("There is no open agency with this id.")) from None
        return Outcome(_("The agent is added. The first login will ask for his consent."), leads_to=admin_url(agent))


class FindForm(StaffForm):
    phone = PhoneField(agent=True, label=_("Phone"))

    def carry_out(self, actor: Actor) -> Outcome:
        found = people.find_agent(self.cleaned_data["phone"], actor=actor)
        if found is None:
            raise Invalid.at("phone", "unknown", _("No agent has this number."))
        return Outcome(_("This agent has the number."), leads_to=admin_url(found))


class LiftRangeForm(StaffForm):
    phone = PhoneField(
        agent=True, label=_("A phone of the range"), help_text=_("Numbers that differ only in the last four digits.")
    )

    def carry_out(self, actor: Actor) -> Outcome:
        people.lift_range(self.cleaned_data["phone"], actor=actor)
        return Outcome(_("Codes go to these numbers again."))


class RenameForm(StaffForm):
    name = LineField(most=NAME_AT_MOST, label=_("New name"))

    def carry_out(self, actor: Actor) -> Outcome:
        people.rename_agent(self.obj.pk, self.cleaned_data["name"], actor=actor)
        return Outcome(_("The name is changed."))


class MakeHeadForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        people.set_role(self.obj.pk, Role.HEAD, actor=actor)
        return Outcome(_("The agent heads the agency now."))


class MakeAgentForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        people.set_role(self.obj.pk, Role.AGENT, actor=actor)
        return Outcome(_("The head is an agent now."))


class DisableForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        people.disable_agent(self.obj.pk, actor=actor)
        return Outcome(_("The agent is disabled; his sessions have ended."))


class EnableForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        people.enable_agent(self.obj.pk, actor=actor)
        return Outcome(_("The agent can log in again."))


class EndSessionsForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        count = people.end_sessions(self.obj.pk, actor=actor)
        return Outcome(ngettext("%d session has ended.", "%d sessions have ended.", count) % count)


class ClearForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        people.clear_counters(self.obj.pk, actor=actor)
        return Outcome(_("Codes go to this phone again."))


class RemoveFactorsForm(StaffForm):
    reason = TextField(
        most=REASON_AT_MOST,
        label=_("How you made sure who asks"),
        help_text=_("The SMS alone logs in then. Sessions end, the agent is told by SMS, the audit keeps this."),
        widget=forms.Textarea({"rows": 3}),
    )

    def carry_out(self, actor: Actor) -> Outcome:
        factors.remove_factors(self.obj.pk, reason=self.cleaned_data["reason"], actor=actor)
        return Outcome(_("They are removed; the code from an SMS logs in alone."))


class RevealForm(ReasonForm):
    def carry_out(self, actor: Actor) -> Outcome:
        phone = people.reveal_agent_phone(self.obj.pk, reason=self.cleaned_data["reason"], actor=actor)
        return Outcome(_("The number, shown once; the audit has your reason."), [phone_text(phone)])


def is_head(agent: User) -> bool:
    return agent.is_head


def is_no_head(agent: User) -> bool:
    return not agent.is_head


def is_active(agent: User) -> bool:
    return agent.is_active


def has_factors(agent: User) -> bool:
    return factors.has_factors(agent.pk)


def is_disabled(agent: User) -> bool:
    return not agent.is_active


@admin.register(User, site=site)
class AgentAdmin(StaffAdmin):
    list_display = ("shown_name", "shown_phone", "shown_agency", "role", "is_active", "logged_in_at")
    list_filter = (AgencyFilter, "role", "is_active")
    list_select_related = ("agency",)
    ordering = ("-id",)
    fields = (
        *("shown_name", "shown_phone", "shown_agency", "role", "is_active", "live_sessions", "has_app"),
        *("language", "time_zone", "consent_version", "created_at", "logged_in_at", "id"),
    )
    list_actions = (
        StaffAction("join", _("Add an agent"), AddForm),
        StaffAction("find", _("Find by phone"), FindForm),
        StaffAction("lift-range", _("Lift a stopped range"), LiftRangeForm),
    )
    row_actions = (
        StaffAction("rename", _("Change the name"), RenameForm),
        StaffAction("make-head", _("Make head"), MakeHeadForm, is_no_head),
        StaffAction("make-agent", _("Make agent"), MakeAgentForm, is_head),
        StaffAction("disable", _("Disable"), DisableForm, is_active),
        StaffAction("enable", _("Enable"), EnableForm, is_disabled),
        StaffAction("end-sessions", _("End sessions"), EndSessionsForm),
        StaffAction("clear", _("Clear the counters"), ClearForm),
        StaffAction("remove-factors", _("Remove app and passkeys"), RemoveFactorsForm, has_factors),
        StaffAction("reveal", _("Show the number"), RevealForm),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return User.objects.agents()

    @admin.display(description=_("name"))
    def shown_name(self, agent: User) -> str:
        return masked_name(agent.name)

    @admin.display(description=_("phone"))
    def shown_phone(self, agent: User) -> str:
        return mask_phone(agent.phone or "")

    @admin.display(description=_("agency"))
    def shown_agency(self, agent: User) -> SafeString:
        assert agent.agency is not None
        return link(admin_url(agent.agency), agent.agency)

    @admin.display(description=_("app or passkey"), boolean=True)
    def has_app(self, agent: User) -> bool:
        return has_factors(agent)

    @admin.display(description=_("open sessions"))
    def live_sessions(self, agent: User) -> int:
        return Session.objects.of(agent.pk).live(timezone.now()).count()
