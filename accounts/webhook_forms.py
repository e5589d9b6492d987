"""Forms of webhooks: what they check, they borrow of the service."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.models import FEED_ACTIONS, WebhookEndpoint
from accounts.services.webhooks import DESCRIPTION_AT_MOST
from accounts.webhook_wire import clean_url
from lk_site.form_fields import YEARS, CheckedField, LineField

TYPED_AS = "%Y-%m-%dT%H:%M"  # as the browser's own clock writes it
MINUTE = timedelta(minutes=1)
WHEN_REQUIRED = {"required": _("Say when.")}


class MomentField(forms.DateTimeField):
    """A minute in the reader's zone, of the years that a day may have."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format=TYPED_AS)
        super().__init__(widget=widget, input_formats=[TYPED_AS, "%Y-%m-%dT%H:%M:%S"], **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        if moment is not None and not YEARS[0] <= moment.year <= YEARS[1]:
            raise ValidationError(_("Check the year."), code="date_out_of_range")
        return moment


class SeenWebhookForm(forms.Form):
    """Carries the version that the page showed, which tells who was quicker."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput, required=False)


class WebhookForm(SeenWebhookForm):
    """Where and what is sent. `form_key` makes a double click one webhook."""

    form_key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    url = CheckedField(
        check=clean_url,
        label=_("Address"),
        help_text=_("Where LK sends what happens. It begins with https://."),
        widget=forms.TextInput({"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Write the address, like https://example.ru/hook.")},
    )
    description = LineField(
        most=DESCRIPTION_AT_MOST,
        label=_("What is it for"),
        required=False,
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    types = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(action.value, action.label) for action in FEED_ACTIONS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        error_messages={"invalid_choice": _("Choose events of the list.")},
    )

    @staticmethod
    def initial_of(endpoint: WebhookEndpoint) -> dict[str, Any]:
        """Return what the form of a webhook starts with."""
        names = ("url", "description", "types", "version")
        return {name: getattr(endpoint, name) for name in names}

    def type_choices(self) -> list[dict[str, Any]]:
        """Return the check boxes with the words of each, for the template to place."""
        return [{"box": box, "words": capfirst(str(box.choice_label))} for box in self["types"]]

    @property
    def are_types_open(self) -> bool:
        return bool(self["types"].value() or self["types"].errors)

    def said(self) -> dict[str, Any]:
        """Return what the service takes."""
        return {name: self.cleaned_data[name] for name in ("url", "description", "types")}


class RotationForm(forms.Form):
    """A new secret, once for however many clicks: a second one would end the secret that is in use."""

    form_key = forms.UUIDField(widget=forms.HiddenInput)


class ReplayForm(forms.Form):
    """From when to when; both minutes belong to it."""

    since = MomentField(label=_("From"), error_messages=WHEN_REQUIRED)
    until = MomentField(label=_("To"), error_messages=WHEN_REQUIRED)

    def clean_until(self) -> datetime:
        until: datetime = self.cleaned_data["until"]
        return until + MINUTE - timedelta(microseconds=1)
