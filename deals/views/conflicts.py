"""Two people edited one row: the form keeps what was typed here and shows beside it what stands there now."""

from itertools import zip_longest
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst

from deals.forms.clients import PHONE_NAMES, ClientForm
from deals.forms.deals import DealTermsForm
from deals.models import Client, Deal, PropertyType
from lk_site.form_fields import MoneyField, PercentField, PhoneField
from lk_site.formats import money_text, percent_text, phone_text
from lk_site.forms import show_conflict


def deal_conflict(typed: QueryDict, deal: Deal, *, only: str = "") -> DealTermsForm:
    """Return the form as it was typed, of the deal's present version, with what stands there now where it differs."""
    form = DealTermsForm(of_version(typed, deal.version), only=only)
    form.is_valid()
    show_differences(form, DealTermsForm.initial_of(deal))
    return form


def client_conflict(typed: ClientForm, client: Client, *, is_open: bool) -> ClientForm:
    """Return the form as it was typed, of the client's present version, with what stands there now where it differs.

    Numbers that stand there now are shown beside those that were typed only to who sees them.
    """
    form = ClientForm(of_version(cast(QueryDict, typed.data), client.version))
    if PHONE_NAMES[0] not in typed.fields:
        form.leave_out_phones()
    form.is_valid()
    numbers = dict(zip_longest(PHONE_NAMES, client.numbers, fillvalue="")) if is_open else {}
    show_differences(form, ClientForm.initial_of(client, []) | numbers)
    return form


def of_version(typed: QueryDict, version: int) -> QueryDict:
    data = typed.copy()
    data["version"] = str(version)
    return data


def show_differences(form: forms.Form, now: dict[str, Any]) -> None:
    for name, value in now.items():
        field = form.fields.get(name)
        if field and name != "version" and form.cleaned_data.get(name, form[name].value()) != value:
            show_conflict(form, name, theirs=words(field, name, value), value=typed_as(field, value))


def words(field: forms.Field, name: str, value: Any) -> str:
    """Return a value as people read it."""
    if value in (None, ""):
        return ""
    if isinstance(field, MoneyField):
        return money_text(value)
    if isinstance(field, PercentField):
        return percent_text(value)
    if isinstance(field, PhoneField):
        return phone_text(value)
    if name == "property_type":
        return capfirst(str(PropertyType(value).label))
    return f"{value:%d.%m.%Y}" if isinstance(field, forms.DateField) else str(value)


def typed_as(field: forms.Field, value: Any) -> str:
    """Return a value as the input would hold it."""
    if isinstance(field, PhoneField):
        return phone_text(value) if value else ""
    shown = field.prepare_value(value)
    return "" if shown is None else str(shown)
