"""Forms of the keys of programs: what they check, they borrow of the service."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Scope
from accounts.services.keys import DAYS_AT_MOST, NAME_AT_MOST, check_days, cleaned_networks
from lk_site.errors import Invalid, InvalidValue
from lk_site.form_fields import CheckedField, LineField, capitalized
from lk_site.forms import SegmentsInput

OTHER = "other"
LIFETIMES = (30, 90, 180, DAYS_AT_MOST)  # days that are offered; any other number is typed
SENTENCES = {  # what a scope lets a program do, for people who have read no documentation
    Scope.DEALS_READ: _("Every deal of the agency with its notes and history; clients' numbers stay masked."),
    Scope.DEALS_WRITE: _("New deals, changes, stages, notes, hand-over, the trash and back."),
    Scope.CLIENTS_READ: _("Every client of the agency; numbers stay masked."),
    Scope.CLIENTS_WRITE: _("New clients, changes, the trash and back."),
    Scope.CLIENTS_REVEAL: _("Whole numbers of clients. Each reveal is recorded. Give it only where it is needed."),
    Scope.REPORTS_READ: _("Totals of the agency, without names."),
    Scope.WEBHOOKS_MANAGE: _("Where LK sends news of changes, and their secrets."),
}


def read_networks(text: str) -> list[str]:
    """Return the networks of a text, one a line. Raises InvalidValue, which names the first line that is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return cleaned_networks(lines)
    except Invalid as refused:
        first = refused.errors[0]
        place = first.field.removeprefix("/networks/")
        line = f"«{lines[int(place)].strip()[:50]}»: " if place.isdecimal() else ""
        raise InvalidValue(first.code, f"{line}{first.message}") from None


class NetworksField(CheckedField):
    """Networks of one line each; cleans to a list."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"rows": 2, "spellcheck": "false", "autocomplete": "off", "placeholder": "203.0.113.0/24"}
        super().__init__(check=read_networks, widget=forms.Textarea(attrs), **kwargs)

    def clean(self, value: Any) -> Any:
        return super().clean(value) or []


class KeyForm(forms.Form):
    """What a head says of a program that asks with a key. `form_key` makes a double click one key."""

    form_key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    name = LineField(
        most=NAME_AT_MOST,
        label=_("What is it for"),
        help_text=_("The program that will use the key. Everybody sees this name beside what it did."),
        widget=forms.TextInput({"autocomplete": "off"}),
        error_messages={"required": _("Name the program that will use the key.")},
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=capitalized(Scope.choices),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        error_messages={"invalid_choice": _("Choose scopes of the list.")},
    )
    networks = NetworksField(
        label=_("Networks"),
        help_text=_("Addresses that it may be used from, one a line. Empty: from anywhere."),
        required=False,
    )

    @staticmethod
    def initial_of(key: ApiKey) -> dict[str, Any]:
        """Return what the form of a key starts with."""
        return {"name": key.name, "scopes": key.scopes, "networks": "\n".join(key.networks)}

    def scope_choices(self) -> list[dict[str, Any]]:
        """Return the check boxes with the sentence of each, for the template to place."""
        return [{"box": box, "sentence": SENTENCES[Scope(box.data["value"])]} for box in self["scopes"]]

    def said(self) -> dict[str, Any]:
        """Return what the service takes."""
        return {name: self.cleaned_data[name] for name in ("name", "scopes", "networks")}


class LifetimeForm(forms.Form):
    """How long a secret lives: one of a few, or any number of days."""

    form_key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    lifetime = forms.ChoiceField(
        label=_("Days until it ends"),
        choices=[*((str(days), str(days)) for days in LIFETIMES), (OTHER, _("Other"))],
        initial=str(DAYS_AT_MOST),
        widget=SegmentsInput,
    )
    days = forms.IntegerField(
        label=_("Number of days"),
        required=False,
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"invalid": _("Write the days in digits, from 1 to 365.")},
    )

    def clean(self) -> dict[str, Any]:
        """Leave one number of days, whichever way it was chosen."""
        cleaned = super().clean() or self.cleaned_data
        chosen = cleaned.get("lifetime", "")
        if chosen != OTHER:
            cleaned["days"] = int(chosen or DAYS_AT_MOST)
            self.errors.pop("days", None)
        elif cleaned.get("days") is None and "days" not in self.errors:
            self.add_error("days", _("Write the days in digits, from 1 to 365."))
        elif "days" not in self.errors:
            self.refuse_days(cleaned["days"])
        return cleaned

    def refuse_days(self, days: int) -> None:
        try:
            check_days(days)
        except Invalid as refused:
            self.add_error("days", ValidationError(str(refused.errors[0].message), code=refused.errors[0].code))


class NewKeyForm(LifetimeForm, KeyForm):
    """A new key: what it is for, what it may do, and for how long."""

    form_key = forms.UUIDField(widget=forms.HiddenInput)

    def said(self) -> dict[str, Any]:
        return {**super().said(), "days": self.cleaned_data["days"]}
