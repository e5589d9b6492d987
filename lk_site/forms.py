"""How forms look: the renderer that draws fields with our templates, and the inputs that agents type into."""

from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from lk_site.form_drawing import drawn, select


class ShownField(forms.BoundField):
    """A field as `components/_field.html` asks for it."""

    @cached_property
    def widget_type(self) -> str:
        return super().widget_type

    @property
    def conflict(self) -> dict[str, str] | None:
        """What another person saved meanwhile, see `show_conflict`."""
        return getattr(self.field, "conflict", None)


class FormRenderer(TemplatesSetting):
    """Draws `{{ form }}` and `{{ form.price.as_field_group }}` with the templates of `templates/components`."""

    bound_field_class = ShownField

    form_template_name = "components/_form.html"
    field_template_name = "components/_field.html"

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        return drawn(template_name, context) or super().render(template_name, context, request)


class PhoneInput(forms.TextInput):
    """A phone as people type it; grouped while typing where JavaScript runs."""

    input_type = "tel"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"inputmode": "tel", "autocomplete": "tel", "data-phone": "", **(attrs or {})})


class MoneyInput(forms.TextInput):
    """Roubles, with spaces between thousands while typing; the form field takes spaces and a comma."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"inputmode": "decimal", "autocomplete": "off", "data-money": "", **(attrs or {})})


class PercentInput(forms.TextInput):
    """A percentage with a comma or a point."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"inputmode": "decimal", "autocomplete": "off", "data-percent": "", **(attrs or {})})


class DayInput(forms.DateInput):
    """A day chosen with the browser's own calendar."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


class CodeInput(forms.TextInput):
    """The six digits of an SMS: filled by the phone, pasted or typed; with JavaScript the sixth sends the form."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(
            {
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "class": "code-input",
                "autofocus": True,
                "data-code": "6",
                **(attrs or {}),
            }
        )


class ChoiceInput(forms.Select):
    """A choice from a list, drawn without Django's context for each of its options: a half of the cost of a filter."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = next(iter(self.format_value(value)), "")
        return select(name, self.build_attrs(self.attrs, attrs), self.choices, chosen)


class SegmentsInput(forms.RadioSelect):
    """A choice among a few words, drawn as one control."""

    def __init__(self, attrs: dict[str, Any] | None = None, choices: Any = ()) -> None:
        super().__init__({"class": "segments-input", **(attrs or {})}, choices)


class ToggleInput(forms.CheckboxInput):
    """A checkbox drawn as a switch."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": "toggle", "role": "switch", **(attrs or {})})


def show_conflict(form: forms.BaseForm, name: str, *, theirs: str, value: str, by: str = "") -> None:
    """Show beside a field what another person saved meanwhile.

    `theirs` is written for people, `value` is what the input would hold, `by` names who saved it.
    The input keeps what was typed here: neither value is lost.
    """
    field = form.fields[name]
    field.conflict = {"theirs": theirs, "value": value, "by": by}  # type: ignore[attr-defined]
