"""What all pages of the admin share: read only, masked, bounded; what changes something is a form over a service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst

from accounts.actor import Actor, ActorRequest
from accounts.admin.columns import admin_url, evidence_of, named
from lk_site.errors import DomainError
from lk_site.form_fields import show_refusal
from lk_site.strict_json import REFUSED_CHARACTER

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    ModelAdmin = admin.ModelAdmin[Any]
    Pages = Paginator[Any]
else:
    ModelAdmin, Pages = admin.ModelAdmin, Paginator

OF_FILTERS = ("", "__exact", "__isempty")  # how a filter's parameter goes on: of our filters, and of Django's
ROWS_AT_MOST = 10_000  # of one list: counting and paging further costs a scan, a filter costs nothing


class Outcome(NamedTuple):
    """What a form has done: a sentence for the next page, or what it brings to light, shown once, kept nowhere."""

    sentence: "_StrOrPromise"
    shown: Sequence[str] = ()
    leads_to: str = ""


class StaffForm(forms.Form):
    """A form that calls one service. `obj` is the row it stands at, None for one that stands at a list."""

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        self.obj = obj
        super().__init__(*args, **kwargs)
        for name, value in self.values_now().items():
            self.fields[name].initial = value

    def values_now(self) -> dict[str, Any]:
        """Return what the row has now, for the fields that change it."""
        return {}

    def carry_out(self, actor: Actor) -> Outcome:
        raise NotImplementedError


def always(obj: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class StaffAction:
    """Something that staff may do: its name in the address, its words, its form, and at which rows it is offered."""

    name: str
    label: "_StrOrPromise"
    form: type[StaffForm]
    is_offered: Callable[[Any], bool] = always


class BoundedPaginator(Pages):
    """Counts no further than a person would page: beyond, a list is narrowed by a filter."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:ROWS_AT_MOST].count())


class StaffAdmin(ModelAdmin):
    """A list and a page of rows that nobody edits in place."""

    actions = None
    list_per_page = list_max_show_all = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    change_list_template = "admin/staff_list.html"
    change_form_template = "admin/staff_page.html"
    list_actions: ClassVar[tuple[StaffAction, ...]] = ()
    row_actions: ClassVar[tuple[StaffAction, ...]] = ()

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [named(str(name)) for name in self.list_display]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [named(str(name)) for name in self.fields or ()]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_staff)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        raise PermissionDenied

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        raise PermissionDenied

    def get_urls(self) -> list[URLPattern]:
        """Add a page for each action to those of Django's."""
        info = f"{self.opts.app_label}_{self.opts.model_name}"
        view = self.admin_site.admin_view
        of_list = [
            path(f"{action.name}/", view(partial(self.action_view, action=action)), name=f"{info}_{action.name}")
            for action in self.list_actions
        ]
        of_row = [
            path(
                f"<path:object_id>/{action.name}/",
                view(partial(self.action_view, action=action)),
                name=f"{info}_{action.name}",
            )
            for action in self.row_actions
        ]
        return [*of_list, *of_row, *super().get_urls()]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Filter by what the list offers alone: by any column, a password's hash could be told letter by letter."""
        return lookup in {f"{parameter_of(item)}{ending}" for item in self.list_filter for ending in OF_FILTERS}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if any(REFUSED_CHARACTER.search(text) for _name, texts in request.GET.lists() for text in texts):
            return redirect(f"{request.path}?{ERROR_FLAG}=1")  # as of any other filter that means nothing
        offers = [(action.label, f"{action.name}/") for action in self.list_actions]
        context = {"offers": offers, "title": capfirst(self.opts.verbose_name_plural), **(extra_context or {})}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a row, and what may be done with it."""
        obj = self.get_object(request, unquote(object_id))
        offers = [(action.label, f"../{action.name}/") for action in self.row_actions if obj and action.is_offered(obj)]
        shown = {
            "offers": offers,
            "title": capfirst(self.opts.verbose_name),
            "evidence": evidence_of(obj) if obj else "",
        }
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    def action_view(self, request: ActorRequest, object_id: str = "", *, action: StaffAction) -> HttpResponse:
        """Show the form of an action, and carry it out."""
        obj = self.get_object(request, unquote(object_id)) if object_id else None
        if object_id and (obj is None or not action.is_offered(obj)):
            raise Http404
        form = action.form(request.POST if request.method == "POST" else None, obj=obj)
        outcome = carried_out(form, request.actor) if form.is_valid() else None
        if outcome and obj:
            self.log_change(request, obj, action.name)
        if outcome is None or outcome.shown:
            return self.action_page(request, action, form, obj, outcome)
        messages.success(request, str(outcome.sentence))
        return redirect(outcome.leads_to or self.page_of(obj))

    def action_page(
        self, request: ActorRequest, action: StaffAction, form: StaffForm, obj: Any, outcome: Outcome | None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": action.label,
            "form": form,
            "original": obj,
            "outcome": outcome,
            "back": self.page_of(obj),
        }
        is_refused = form.is_bound and outcome is None
        return TemplateResponse(request, "admin/staff_action.html", context, status=422 if is_refused else 200)

    def page_of(self, obj: Any) -> str:
        """Return the address of a row, or of the list."""
        return admin_url(obj) if obj else reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


def parameter_of(item: Any) -> str:
    """Return the parameter that an item of a `list_filter` is asked by, without what Django adds to it."""
    if isinstance(item, str):
        return item
    return str(item[0] if isinstance(item, tuple) else item.parameter_name)


def carried_out(form: StaffForm, actor: Actor) -> Outcome | None:
    """Call the form's service; show its refusal at the form."""
    try:
        return form.carry_out(actor)
    except DomainError as refused:
        show_refusal(form, refused)
        return None
