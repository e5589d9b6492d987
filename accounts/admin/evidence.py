"""The audit, the change records and the SMS outbox: read only, narrowed by filters, without texts and codes."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.actor import ActorKind
from accounts.admin.columns import admin_url, link, short_id
from accounts.admin.filters import AgencyFilter, TypedFilter
from accounts.admin.pages import StaffAdmin
from accounts.admin.site import site
from accounts.models import PLATFORM, Action, Agency, ApiKey, ChangeRecord, Event, EventText, SmsMessage, User, UserKind
from lk_site.formats import mask_phone

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class ActorFilter(TypedFilter):
    """Who did it: a login of staff, or anybody's id."""

    title = _("actor (login or id)")
    parameter_name = "actor"

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        staff = User.objects.staff().filter(login=typed.casefold()).values_list("pk", flat=True).first()
        return queryset.filter(actor_id=staff) if staff else queryset.filter(actor_id=as_uuid(typed))


class ActionFilter(TypedFilter):
    title = _("action")
    parameter_name = "action"

    def options(self) -> Sequence[tuple[str, "_StrOrPromise"]]:
        return Action.choices

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(action=Action(typed))


class ObjectFilter(TypedFilter):
    """What it was about: the object itself, or the deal or client it belongs to."""

    title = _("object (id)")
    parameter_name = "object"

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        pk = as_uuid(typed)
        return queryset.filter(Q(object_id=pk) | Q(deal_id=pk) | Q(client_id=pk))


class SinceFilter(TypedFilter):
    title = _("time, from")
    parameter_name = "since"
    input_type = "datetime-local"
    lookup = "at__gte"

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(**{self.lookup: moment(typed)})


class UntilFilter(SinceFilter):
    title = _("time, until")
    parameter_name = "until"
    lookup = "at__lt"


def moment(typed: str) -> datetime:
    """Return a moment in the reader's zone; a day is its first moment. Raises ValueError."""
    found = parse_datetime(typed)
    day = None if found else parse_date(typed)
    if day:
        found = datetime(day.year, day.month, day.day)  # noqa: DTZ001 made aware below
    if found is None:
        raise ValueError(typed)
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def as_uuid(typed: str) -> UUID:
    return UUID(typed)


@admin.register(Event, site=site)
class EventAdmin(StaffAdmin):
    list_display = ("at", "action", "shown_actor", "shown_object", "shown_agency", "address")
    list_filter = (ActionFilter, ActorFilter, ObjectFilter, AgencyFilter, SinceFilter, UntilFilter)
    ordering = ("-at",)
    fields = (
        *("at", "action", "shown_actor", "shown_object", "shown_agency", "seq", "address", "request_id"),
        *("version", "fields", "data", "shown_text", "deal_id", "client_id", "id"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        staff = User.objects.staff().filter(pk=OuterRef("actor_id")).values("login")[:1]
        agency = Agency.objects.filter(pk=OuterRef("agency_id")).values("name")[:1]
        return Event.objects.annotate(staff_login=Subquery(staff), agency_name=Subquery(agency))

    @admin.display(description=_("actor"))
    def shown_actor(self, event: Event) -> SafeString | str:
        if event.actor_id is None:
            return event.actor_kind
        if event.actor_kind == ActorKind.STAFF:
            return getattr(event, "staff_login", None) or str(event.actor_id)
        who = ApiKey if event.actor_kind == ActorKind.KEY else User
        return link(admin_url(who(pk=event.actor_id)), short_id(event.actor_id))

    @admin.display(description=_("object"))
    def shown_object(self, event: Event) -> SafeString | str:
        if event.object_id is None:
            return event.object_type or "—"
        return format_html("{} {}", event.object_type, short_id(event.object_id))

    @admin.display(description=_("agency"))
    def shown_agency(self, event: Event) -> SafeString | str:
        if event.agency_id == PLATFORM:
            return str(_("the platform"))
        name = getattr(event, "agency_name", None) or short_id(event.agency_id)
        return link(admin_url(Agency(pk=event.agency_id)), name)

    @admin.display(description=_("reason given by staff"))
    def shown_text(self, event: Event) -> str:
        """What a member of staff wrote; texts of agents are theirs."""
        if event.text_digest is None:
            return "—"
        if event.actor_kind != UserKind.STAFF:
            return str(_("(a text of the agency)"))
        row = EventText.objects.filter(pk=event.pk).first()
        return (row and row.text) or str(_("(the text was deleted)"))


class ChangedObjectFilter(TypedFilter):
    title = _("object (id)")
    parameter_name = "object"

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(object_pk=str(as_uuid(typed)))


@admin.register(ChangeRecord, site=site)
class ChangeRecordAdmin(StaffAdmin):
    list_display = ("timestamp", "shown_object", "action", "changed", "shown_actor")
    list_filter = (ChangedObjectFilter, "action")
    list_select_related = ("content_type", "actor")
    ordering = ("-id",)
    fields = ("timestamp", "shown_object", "object_pk", "action", "changed", "shown_actor", "remote_addr", "request_id")

    @admin.display(description=_("object"))
    def shown_object(self, change: ChangeRecord) -> SafeString:
        return format_html("{} {}", change.content_type.model, short_id(change.object_pk))

    @admin.display(description=_("changed fields"))
    def changed(self, change: ChangeRecord) -> str:
        return ", ".join(sorted(change.changes or {}))

    @admin.display(description=_("actor"))
    def shown_actor(self, change: ChangeRecord) -> str:
        return str(change.actor or "—")


@admin.register(SmsMessage, site=site)
class SmsAdmin(StaffAdmin):
    list_display = ("created_at", "shown_phone", "state", "attempts", "gateway_status", "settled_at")
    list_filter = ("state",)
    ordering = ("-created_at",)
    fields = (
        *("created_at", "shown_phone", "state", "attempts", "due_at", "useless_at"),
        *("gateway_id", "gateway_status", "settled_at", "id"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SmsMessage]:
        return SmsMessage.objects.defer("text")

    @admin.display(description=_("phone"))
    def shown_phone(self, sms: SmsMessage) -> str:
        return mask_phone(sms.phone or "")
