"""Filters of the list of deals, as an address carries them. A value that cannot be is shown and left out."""

from datetime import date
from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from accounts.models import User
from deals.models import DealKind, StageKind
from deals.services.listing import DealFilter
from lk_site.form_fields import DayField, MoneyField, capitalized
from lk_site.formats import money_text
from lk_site.forms import ChoiceInput

BOUNDS = ("price_min", "price_max", "created_from", "created_to")
ANY = [("", _("Any"))]


class DealFilterForm(forms.Form):
    """What the list is narrowed to; `stages` are names by codes."""

    status = forms.ChoiceField(choices=[*ANY, *StageKind.choices], required=False, widget=forms.HiddenInput)
    kind = forms.ChoiceField(
        label=_("Kind of deal"), choices=[*ANY, *capitalized(DealKind.choices)], required=False, widget=ChoiceInput
    )
    stage = forms.ChoiceField(label=_("Stage"), required=False, widget=ChoiceInput)
    agent = forms.ChoiceField(label=_("Agent"), required=False, widget=ChoiceInput)
    price_min = MoneyField(label=_("Price from, ₽"), required=False)
    price_max = MoneyField(label=_("Price to, ₽"), required=False)
    created_from = DayField(label=_("Created from"), required=False)
    created_to = DayField(label=_("Created to"), required=False)

    def __init__(self, *args: Any, stages: dict[str, str], agents: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["stage"].choices = [*ANY, *stages.items()]  # type: ignore[attr-defined]
        if agents:
            people = [(str(agent.pk), agent.name or _("no name yet")) for agent in agents]
            self.fields["agent"].choices = [*ANY, *people]  # type: ignore[attr-defined]
        else:
            del self.fields["agent"]

    def asked(self, text: str) -> DealFilter:
        """Return the filter that the valid fields make, with the text that is looked for."""
        data = {name: value for name, value in self.cleaned_data.items() if value}
        narrow: dict[str, Any] = {name: data[name] for name in BOUNDS if name in data}
        narrow |= {name: (data[name],) for name in ("status", "kind", "stage") if name in data}
        if "agent" in data:
            narrow["agent"] = (UUID(data["agent"]),)
        return DealFilter(q=text, **narrow)

    def kept(self) -> list[tuple[str, str]]:
        """Return the filters that are on as pairs for an address or for hidden inputs."""
        return [(name, str(self.data[name])) for name in self.fields if self.data.get(name)]

    def narrowing(self) -> dict[str, str]:
        """Return the filters that are on, but for the status, which has its tabs: name and words for it."""
        data = self.cleaned_data
        return {name: self.words(name, data[name]) for name in data if name != "status" and data[name]}

    def words(self, name: str, value: Any) -> str:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            return str(dict(cast(list[tuple[str, str]], field.choices)).get(value, value))
        if isinstance(value, date):
            texts = {"created_from": pgettext("a day", "from %s"), "created_to": pgettext("a day", "to %s")}
            return texts[name] % value.strftime("%d.%m.%Y")
        texts = {"price_min": pgettext("a price", "from %s"), "price_max": pgettext("a price", "to %s")}
        return texts[name] % money_text(value)
