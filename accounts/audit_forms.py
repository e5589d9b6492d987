"""Filters of the audit, as an address carries them. A value that cannot be is shown and left out."""

from datetime import date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from accounts.services.audit import AUDITED, AuditFilter, Names
from lk_site.form_fields import DayField, capitalized
from lk_site.forms import ChoiceInput

ANY = [("", _("Any"))]


class AuditFilterForm(forms.Form):
    """What the audit is narrowed to. Both days belong to it."""

    who = forms.ChoiceField(label=_("Who"), required=False, widget=ChoiceInput)
    action = forms.ChoiceField(
        label=_("What was done"),
        choices=[*ANY, *capitalized((action.value, action.label) for action in AUDITED)],
        required=False,
        widget=ChoiceInput,
    )
    since = DayField(label=_("From"), required=False)
    until = DayField(label=_("To"), required=False)
    object = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, names: Names, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names = names
        people = [(str(pk), name or _("no name yet")) for pk, name in names.people.items()]
        keys = [(str(pk), _("Key “%s”") % name) for pk, name in names.keys.items()]
        self.fields["who"].choices = [*ANY, *people, *keys]  # type: ignore[attr-defined]

    def asked(self) -> AuditFilter:
        """Return the filter that the valid fields make; days are those of the reader's zone."""
        data = self.cleaned_data
        until: date | None = data.get("until")
        return AuditFilter(
            actor=(UUID(data["who"]),) if data.get("who") else (),
            action=(data["action"],) if data.get("action") else (),
            since=midnight(data.get("since")),
            until=midnight(until + timedelta(days=1) if until else None),
            object=data.get("object"),
        )

    def kept(self) -> list[tuple[str, str]]:
        """Return the filters that are on as pairs for hidden inputs."""
        return [(name, str(self.data[name])) for name in self.fields if self.cleaned_data.get(name)]

    def narrowing(self) -> dict[str, str]:
        """Return the filters that are on, but for the object, which the page names: name and words for it."""
        data = self.cleaned_data
        return {name: self.words(name, data[name]) for name in data if name != "object" and data[name]}

    def words(self, name: str, value: Any) -> str:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            return str(dict(cast(list[tuple[str, str]], field.choices)).get(value, value))
        texts = {"since": pgettext("a day", "from %s"), "until": pgettext("a day", "to %s")}
        return texts[name] % f"{value:%d.%m.%Y}"


def midnight(day: date | None) -> datetime | None:
    """Return the first moment of a day in the reader's zone."""
    return timezone.make_aware(datetime.combine(day, time())) if day else None
