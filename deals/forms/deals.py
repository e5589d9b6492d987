"""Forms of deals: they check shapes and keep what was typed; rules are the services'."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from deals import lookups
from deals.models import Deal, DealKind, LostReason, PropertyType, Stage, StageKind
from lk_site.form_fields import (
    DayField,
    LineField,
    MoneyField,
    PercentField,
    PhoneField,
    TextField,
    capitalized,
)
from lk_site.forms import SegmentsInput
from lk_site.links import link

PROPERTY_TYPES = capitalized([("", _("not said")), *PropertyType.choices])
PARTS = {  # the facts that a card lets one change by itself, and the fields of each
    "property_address": ("property_address",),
    "price": ("price",),
    "commission_percent": ("commission_percent",),
    "property_type": ("property_type",),
    "next_step": ("next_step_text", "next_step_on"),
    "notes": ("notes",),
}


class AddressInput(forms.TextInput):
    """An address; suggested while it is typed, where look-ups are on and JavaScript runs."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "off", **(attrs or {})})

    def build_attrs(self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None) -> dict[str, Any]:
        attrs = super().build_attrs(base_attrs, extra_attrs)
        if not lookups.are_on():
            return attrs
        words = {"data-suggest-name": _("Addresses"), "data-suggest-count": _("Suggestions: %d")}
        return {**attrs, "data-suggest": link("api:suggest_addresses"), **words}


class VersionedForm(forms.Form):
    """Carries the version that the page showed; a stale one becomes a conflict in the service."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput, required=False)


class DealTermsForm(VersionedForm):
    """What may change on a deal: address, price, property, commission, next step, notes. `only` is one of PARTS."""

    property_address = LineField(
        most=300,
        label=_("Address"),
        widget=AddressInput,
        error_messages={"required": _("Write the address.")},
    )
    price = MoneyField(label=_("Price, ₽"), error_messages={"required": _("Write the price, like 12 500 000.")})
    commission_percent = PercentField(label=_("Commission, %"), required=False)
    property_type = forms.ChoiceField(label=_("Property"), choices=PROPERTY_TYPES, required=False)
    next_step_text = LineField(most=300, label=_("Next step"), required=False)
    next_step_on = DayField(label=_("When"), required=False)
    notes = TextField(most=5000, label=_("Notes"), required=False, widget=forms.Textarea({"rows": 4}))

    def __init__(self, *args: Any, only: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.only = only
        if only:
            self.fields = {name: self.fields[name] for name in ("version", *PARTS[only])}
            self.auto_id = f"{only}_%s"
            self.fields[PARTS[only][0]].widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        text, day = cleaned.get("next_step_text"), cleaned.get("next_step_on")
        if text and not day and "next_step_on" not in self.errors:
            self.add_error("next_step_on", forms.ValidationError(_("Say by when."), code="required"))
        if day and not text and "next_step_text" not in self.errors:
            self.add_error("next_step_text", forms.ValidationError(_("Say what is to be done."), code="required"))
        return cleaned

    def terms(self) -> dict[str, Any]:
        """Return the fields as `edit_deal` and `create_deal` take them."""
        data = self.cleaned_data
        terms = {name: data[name] for name in PARTS if name in data}
        if "next_step_text" in data:
            text = data["next_step_text"]
            terms["next_step"] = {"text": text, "due_on": data["next_step_on"]} if text else None
        return terms

    @staticmethod
    def initial_of(deal: Deal) -> dict[str, Any]:
        """Return what the form shows of a deal."""
        return {
            "version": deal.version,
            "property_address": deal.property_address,
            "price": deal.price,
            "commission_percent": deal.commission_percent,
            "property_type": deal.property_type,
            "next_step_text": deal.next_step_text or "",
            "next_step_on": deal.next_step_on,
            "notes": deal.notes or "",
        }


class CreateDealForm(DealTermsForm):
    """A new deal and whom it is for. `form_key` makes a double click one deal."""

    form_key = forms.UUIDField(widget=forms.HiddenInput)
    client_phone = PhoneField(label=_("Client's phone"), error_messages={"required": _("Write the client's phone.")})
    client_name = LineField(
        most=200, label=_("Client's name"), required=False, widget=forms.TextInput({"autocomplete": "off"})
    )
    kind = forms.ChoiceField(
        label=_("Kind of deal"), choices=capitalized(DealKind.choices), initial=DealKind.SALE, widget=SegmentsInput
    )
    client = forms.UUIDField(widget=forms.HiddenInput, required=False)  # chosen on the page that showed both names

    field_order = ("client_phone", "client_name", "kind", "property_address", "price", "commission_percent")

    @property
    def is_more_open(self) -> bool:
        """Whether a field of those that stand folded is filled or wrong."""
        folded = (part for name in PARTS if name not in ("property_address", "price") for part in PARTS[name])
        return any(self[part].value() or part in self.errors for part in folded)

    def deal(self) -> dict[str, Any]:
        """Return the fields as `create_deal` takes them."""
        data = self.cleaned_data
        known = {"client": data["client"]}
        typed = {"client_phone": data["client_phone"], "client_name": data["client_name"]}
        return {**(known if data["client"] else typed), **self.terms(), "kind": data["kind"]}


class MoveDealForm(VersionedForm):
    """Where to, and what that stage asks for."""

    to = forms.ChoiceField(
        label=_("Stage"), widget=forms.RadioSelect, error_messages={"required": _("Choose a stage.")}
    )
    lost_reason = forms.ChoiceField(label=_("Why it was lost"), required=False)
    comment = TextField(
        most=1000,
        label=_("Comment"),
        widget=forms.Textarea({"rows": 3}),
        error_messages={"required": _("Write why the deal is opened again.")},
    )

    def __init__(
        self, *args: Any, stages: list[Stage], reasons: list[LostReason], is_reopening: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.stages = stages
        self.fields["comment"].required = is_reopening
        self.fields["to"].choices = [(stage.code, stage.name) for stage in stages]  # type: ignore[attr-defined]
        self.fields["lost_reason"].choices = [  # type: ignore[attr-defined]
            ("", _("Choose")),
            *((reason.code, reason.name) for reason in reasons),
        ]

    def clean(self) -> dict[str, Any]:
        """Forget a reason that was chosen before another stage was: the page hides it there, and still sends it."""
        cleaned = super().clean() or self.cleaned_data
        losing = {stage.code for stage in self.stages if stage.kind == StageKind.LOST}
        return cleaned if cleaned.get("to") in losing else {**cleaned, "lost_reason": ""}


class HandOverForm(VersionedForm):
    """To whom."""

    agent = forms.ChoiceField(
        label=_("To whom"), widget=forms.RadioSelect, error_messages={"required": _("Choose an agent.")}
    )

    def __init__(self, *args: Any, agents: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].choices = [(str(agent.pk), agent.name or _("no name yet")) for agent in agents]  # type: ignore[attr-defined]


class NoteForm(forms.Form):
    """A note on a deal."""

    text = TextField(
        most=5000,
        label=_("Note"),
        widget=forms.Textarea({"rows": 2}),
        error_messages={"required": _("Write something first.")},
    )
    form_key = forms.UUIDField(widget=forms.HiddenInput, required=False)
