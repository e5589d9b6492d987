"""Filters whose value is typed, chosen, or comes with a link."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class TypedFilter(admin.SimpleListFilter):
    """A filter whose value is typed or comes with a link; what cannot be one finds nothing."""

    template = "admin/typed_filter.html"
    input_type = "text"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "")]

    def choices(self, changelist: Any) -> Any:
        """Give the template the value, and the other parameters of the list, which the form keeps."""
        kept = [pair for pair in changelist.params.items() if pair[0] not in (self.parameter_name, PAGE_VAR)]
        yield {
            "value": self.value() or "",
            "kept": kept,
            "options": self.options(),
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
            "selected": not self.value(),
            "query_string": "",
            "display": "",
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = (self.value() or "").strip()
        if not typed:
            return queryset
        try:
            return self.narrowed(queryset, typed)
        except ValueError:
            return queryset.none()

    def options(self) -> Sequence[tuple[str, "_StrOrPromise"]]:
        """Return the values that can be chosen; none: the value is typed."""
        return ()

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        """Return the rows that are meant. Raises ValueError for what cannot be a value."""
        raise NotImplementedError


class IdFilter(TypedFilter):
    """Rows by one id."""

    column: ClassVar[str]

    def narrowed(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(**{self.column: UUID(typed)})


class AgencyFilter(IdFilter):
    title = _("agency (id)")
    parameter_name = "agency"
    column = "agency_id"
