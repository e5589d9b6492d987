"""Forms of the pages of `accounts`."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.services.codes import clean_code
from accounts.services.totp import clean_factor_code
from lk_site.form_fields import CheckedField, PhoneField
from lk_site.forms import CodeInput, ToggleInput


class PhoneForm(forms.Form):
    """The number that gets a code."""

    phone = PhoneField(
        agent=True,
        label=_("Phone number"),
        error_messages={"required": _("Type your number, for example +7 916 123-45-67.")},
    )


class FreshCodeForm(forms.Form):
    """The six digits of the SMS."""

    code = CheckedField(
        check=clean_code,
        label=_("Code"),
        widget=CodeInput,
        error_messages={"required": _("Type the six digits from the SMS.")},
    )


class AppCodeForm(forms.Form):
    """The six digits that an authenticator app shows."""

    code = CheckedField(
        check=clean_factor_code,
        label=_("Code of the app"),
        widget=CodeInput,
        error_messages={"required": _("Type the six digits that the app shows.")},
    )


class FormKeyForm(forms.Form):
    """A button that makes something once, however often it is pressed."""

    form_key = forms.UUIDField(widget=forms.HiddenInput)


class PasskeyForm(forms.Form):
    """What a person calls a new passkey; the script sends it."""

    passkey_name = forms.CharField(
        label=_("Name of the device"),
        max_length=100,
        initial=_("My device"),
        widget=forms.TextInput({"autocomplete": "off"}),
    )


class BackupCodeForm(forms.Form):
    """One of the ten codes that stand for a lost app."""

    code = CheckedField(
        check=clean_factor_code,
        label=_("Back-up code"),
        widget=forms.TextInput(
            {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
        error_messages={"required": _("Type one of the back-up codes.")},
    )


class CodeForm(FreshCodeForm):
    """The six digits, and whether to stay logged in here."""

    own_device = forms.BooleanField(
        label=_("This is my device"),
        help_text=_("You stay logged in for up to 30 days. On someone else's device leave it off."),
        required=False,
        widget=ToggleInput,
    )
