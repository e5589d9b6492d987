"""Forms of clients."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from deals.forms.deals import VersionedForm
from deals.models import PHONES_AT_MOST, Client
from deals.services.clients import PHONE_TWICE, repeated
from lk_site.form_fields import CheckedField, LineField, PhoneField, TextField
from lk_site.formats import phone_text
from lk_site.text import clean_email

PHONE_NAMES = [f"phone_{number}" for number in range(1, PHONES_AT_MOST + 1)]


class ClientForm(VersionedForm):
    """A client: one to five phones, the first is the main one."""

    form_key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    name = LineField(most=200, label=_("Name"), required=False, widget=forms.TextInput({"autocomplete": "off"}))
    email = CheckedField(
        check=clean_email, label=_("E-mail"), required=False, widget=forms.EmailInput({"autocomplete": "off"})
    )
    notes = TextField(most=5000, label=_("Notes"), required=False, widget=forms.Textarea({"rows": 4}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in PHONE_NAMES:
            is_main = name == PHONE_NAMES[0]
            self.fields[name] = PhoneField(
                label=_("Phone") if is_main else _("One more phone"),
                required=is_main,
                error_messages={"required": _("Write the client's phone.")},
            )

    def clean(self) -> dict[str, Any]:
        """Show a number that stands twice at its second field; the service, which refuses it, counts filled ones."""
        cleaned = super().clean() or self.cleaned_data
        filled = [name for name in PHONE_NAMES if cleaned.get(name)]
        for place in repeated([cleaned[name] for name in filled]):
            self.add_error(filled[place], forms.ValidationError(PHONE_TWICE, code="phone_twice"))
        return cleaned

    def client(self) -> dict[str, Any]:
        """Return the fields as `create_client` and `edit_client` take them."""
        data = self.cleaned_data
        rest = {name: data[name] for name in ("name", "email", "notes")}
        if PHONE_NAMES[0] not in self.fields:
            return rest
        return {"phones": [data[name] for name in PHONE_NAMES if data[name]], **rest}

    def leave_out_phones(self) -> None:
        """Take the numbers out of the form: who sees masks changes none of them."""
        for name in PHONE_NAMES:
            del self.fields[name]

    @staticmethod
    def initial_of(client: Client, phones: list[str]) -> dict[str, Any]:
        """Return what the form shows of a client; `phones` are digits."""
        return {
            "version": client.version,
            "name": client.name or "",
            "email": client.email or "",
            "notes": client.notes or "",
            **{name: phone_text(phone) for name, phone in zip(PHONE_NAMES, phones, strict=False)},
        }


class RevealForm(forms.Form):
    """Why a head looks at a number; staff must say it."""

    reason = LineField(most=300, label=_("Why"), required=False)
