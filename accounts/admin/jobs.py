"""Jobs: queues, workers and chores on one page, what fails and why, and what may be tried again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.actor import Actor
from accounts.admin.columns import admin_url, link, list_url, short_id, written
from accounts.admin.filters import AgencyFilter, TypedFilter
from accounts.admin.pages import Outcome, StaffAction, StaffAdmin, StaffForm
from accounts.admin.site import site
from accounts.models import Operation, Schedule, SmsMessage, WebhookDelivery, WebhookEndpoint, WebhookOff
from accounts.services import jobs, schedules, webhooks
from accounts.services.jobs import Queue

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class ShownQueue(NamedTuple):
    """A queue with its words, and the way to its rows."""

    queue: Queue
    label: "_StrOrPromise"
    reasons: "_StrOrPromise"
    leads_to: str


def shown(queue: Queue) -> ShownQueue:
    label, reasons, leads_to = {
        jobs.SMS: (_("SMS"), _("by the gateway's answer"), list_url(SmsMessage, state__exact="failed")),
        jobs.WEBHOOKS: (_("Webhooks"), _("by the receiver's answer"), list_url(WebhookEndpoint, state="failing")),
        jobs.OPERATIONS: (_("Operations"), _("by the problem's code"), list_url(Operation, state__exact="failed")),
    }[queue.name]
    return ShownQueue(queue, label, reasons, leads_to)


# --- chores, and the page above them


class AskForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        schedules.ask_for(self.obj.pk, actor=actor)
        return Outcome(_("A worker does it now."))


@admin.register(Schedule, site=site)
class JobsAdmin(StaffAdmin):
    list_display = ("name", "shown_state", "next_at", "succeeded_at", "last_failure_at", "failure")
    ordering = ("name",)
    fields = ("name", "shown_state", "next_at", "started_at", "succeeded_at", "last_failure_at", "failure")
    row_actions = (StaffAction("ask", _("Do it now"), AskForm),)
    change_list_template = "admin/jobs.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = timezone.now()
        seen = {"queues": [shown(queue) for queue in jobs.queues(now)], "workers": jobs.workers(now), "now": now}
        return super().changelist_view(request, {**seen, **(extra_context or {})})

    @admin.display(description=_("state"))
    def shown_state(self, row: Schedule) -> "_StrOrPromise":
        if row.is_held(timezone.now()):
            return _("a worker is at it")
        return _("does not succeed") if row.has_failed else _("in order")

    @admin.display(description=_("last failure"))
    def last_failure_at(self, row: Schedule) -> str:
        return written(row.failed_at)

    @admin.display(description=_("next time"))
    def next_at(self, row: Schedule) -> str:
        return written(row.due_at)


# --- webhooks that fail


class RetryForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        return sent_again(webhooks.retry_endpoint(self.obj.pk, actor=actor))


class RetryAllForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        count = webhooks.retry_failing(actor=actor)
        return Outcome(ngettext("%d webhook is tried again.", "%d webhooks are tried again.", count) % count)


class StateFilter(TypedFilter):
    title = _("state")
    parameter_name = "state"

    def options(self) -> Sequence[tuple[str, "_StrOrPromise"]]:
        return [("failing", _("failing")), ("off", _("off")), ("working", _("in order"))]

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        states = {
            "failing": Q(pk__in=WebhookEndpoint.objects.failing()),
            "off": Q(is_on=False),
            "working": Q(is_on=True, failing_since=None),
        }
        return queryset.filter(states[typed]) if typed in states else queryset.none()


def sent_again(count: int) -> Outcome:
    return Outcome(ngettext("%d delivery is sent again.", "%d deliveries are sent again.", count) % count)


def may_be_retried(endpoint: WebhookEndpoint) -> bool:
    return endpoint.removed_at is None and endpoint.off_why != WebhookOff.PERSON


@admin.register(WebhookEndpoint, site=site)
class WebhookEndpointAdmin(StaffAdmin):
    """Without addresses, which may hold a secret: those are their agency's."""

    list_display = ("shown_id", "shown_agency", "shown_state", "failing_since", "last_answer", "waiting")
    list_filter = (StateFilter, AgencyFilter)
    list_select_related = ("agency",)
    ordering = ("-id",)
    fields = ("id", "shown_agency", "shown_state", "failing_since", "last_answer", "waiting", "switched_off_at")
    list_actions = (StaffAction("retry-failing", _("Retry all that fail"), RetryAllForm),)
    row_actions = (StaffAction("retry", _("Send again what has not arrived"), RetryForm, may_be_retried),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        tried = WebhookDelivery.objects.filter(endpoint=OuterRef("pk")).exclude(last_code=None, last_error="")
        newest = tried.order_by("-id")
        sealed = ("url", "description", "secret", "previous_secret")
        there = WebhookEndpoint.objects.there().defer(*sealed)
        return there.annotate(
            code=Subquery(newest.values("last_code")[:1]), error=Subquery(newest.values("last_error")[:1])
        )

    @admin.display(description=_("webhook"))
    def shown_id(self, endpoint: WebhookEndpoint) -> SafeString:
        return short_id(endpoint.pk)

    @admin.display(description=_("agency"))
    def shown_agency(self, endpoint: WebhookEndpoint) -> SafeString:
        return link(admin_url(endpoint.agency), endpoint.agency)

    @admin.display(description=_("state"))
    def shown_state(self, endpoint: WebhookEndpoint) -> "_StrOrPromise":
        if not endpoint.is_on:
            return endpoint.get_off_why_display()
        return _("failing") if endpoint.is_failing else _("in order")

    @admin.display(description=_("last answer"))
    def last_answer(self, endpoint: WebhookEndpoint) -> str:
        return str(getattr(endpoint, "code", None) or getattr(endpoint, "error", None) or "—")

    @admin.display(description=_("not delivered yet"))
    def waiting(self, endpoint: WebhookEndpoint) -> int:
        return webhooks.undelivered(endpoint).count()


# --- operations


@admin.register(Operation, site=site)
class OperationAdmin(StaffAdmin):
    """What failed was told to who asked, and nothing of it was done: whoever still wants it asks again."""

    list_display = ("created_at", "name", "shown_agency", "state", "attempts", "reason", "done_at")
    list_filter = (AgencyFilter, "state")
    list_select_related = ("agency",)
    ordering = ("-created_at",)
    fields = (
        "id",
        "name",
        "shown_agency",
        "state",
        "attempts",
        "reason",
        "created_at",
        "due_at",
        "started_at",
        "done_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        return Operation.objects.defer("request")

    @admin.display(description=_("agency"))
    def shown_agency(self, operation: Operation) -> SafeString:
        return link(admin_url(operation.agency), operation.agency)

    @admin.display(description=_("reason"))
    def reason(self, operation: Operation) -> str:
        return jobs.reason_of(operation) or "—"
