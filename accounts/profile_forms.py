"""Forms about the person who is signed in: profile and welcome."""

from functools import cache
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Theme
from accounts.services.people import NAME_AT_MOST
from accounts.services.profile import time_zones
from lk_site.form_fields import LineField, capitalized

RUSSIAN_ZONES = (  # west to east; the rest of the world follows by name
    ("Europe/Kaliningrad", _("Kaliningrad (Moscow −1)")),
    ("Europe/Moscow", _("Moscow")),
    ("Europe/Samara", _("Samara (Moscow +1)")),
    ("Asia/Yekaterinburg", _("Yekaterinburg (Moscow +2)")),
    ("Asia/Omsk", _("Omsk (Moscow +3)")),
    ("Asia/Novosibirsk", _("Novosibirsk (Moscow +4)")),
    ("Asia/Krasnoyarsk", _("Krasnoyarsk (Moscow +4)")),
    ("Asia/Irkutsk", _("Irkutsk (Moscow +5)")),
    ("Asia/Yakutsk", _("Yakutsk (Moscow +6)")),
    ("Asia/Vladivostok", _("Vladivostok (Moscow +7)")),
    ("Asia/Magadan", _("Magadan (Moscow +8)")),
    ("Asia/Kamchatka", _("Kamchatka (Moscow +9)")),
)


@cache
def zone_choices() -> list[tuple[Any, list[tuple[str, Any]]]]:
    """Return Russia's zones by their cities, then all places of the world by their names."""
    russian = {name for name, _label in RUSSIAN_ZONES}
    others: list[tuple[str, Any]] = [(name, name.replace("_", " ")) for name in sorted(time_zones() - russian)]
    return [(_("Russia"), list(RUSSIAN_ZONES)), (_("The world"), others)]


class NameField(LineField):
    """A person's name."""

    def __init__(self, **kwargs: object) -> None:
        errors = {"required": _("Write your name.")}
        widget = forms.TextInput({"autocomplete": "name"})
        super().__init__(most=NAME_AT_MOST, widget=widget, error_messages=errors, **kwargs)


class ProfileForm(forms.Form):
    """What a person sets about himself."""

    name = NameField(label=_("Name"))
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As the browser asks")), ("ru", "Русский"), ("en", "English")],
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=lambda: zone_choices())
    theme = forms.ChoiceField(label=_("Theme"), choices=capitalized(Theme.choices))


class WelcomeForm(forms.Form):
    """The first login: a name and a consent, which nobody ticks for the person."""

    name = NameField(label=_("Name"))
    consent = forms.BooleanField(
        label=_("I agree to the processing of my personal data"),
        error_messages={"required": _("Without the consent LK cannot be used. You can log out below.")},
    )
    version = forms.CharField(widget=forms.HiddenInput, max_length=20)
