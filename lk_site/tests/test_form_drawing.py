"""Inputs that functions draw look as Django's templates draw them."""

import re
from typing import Any

import pytest
from django import forms
from django.forms.renderers import TemplatesSetting
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from lk_site.form_fields import CheckedField, DayField, MoneyField, PercentField, PhoneField
from lk_site.forms import ChoiceInput, CodeInput, FormRenderer, ToggleInput

BETWEEN_TAGS = re.compile(r">\s+<")
EVIL = "\"><script>alert('1')</script>&amp;"
GROUPED = [("", gettext_lazy("Any")), ("Город", [(1, "Москва"), ("2", mark_safe("<b>Тверь</b>"))]), (EVIL, EVIL)]
FLAT = [
    (None, "Нет"),
    ("", gettext_lazy("Any")),
    (1, "Москва"),
    ("2", mark_safe("<b>Тверь</b>")),
    (2, "Ещё"),
    (EVIL, "<"),
]
FIELDS: list[forms.Field] = [
    forms.CharField(),
    forms.CharField(
        max_length=5, required=False, widget=forms.TextInput({"data-x": EVIL, "autofocus": True, "a": False})
    ),
    forms.CharField(widget=forms.HiddenInput),
    forms.CharField(widget=forms.Textarea({"rows": 2})),
    forms.CharField(widget=forms.PasswordInput(render_value=True)),
    forms.CharField(widget=CodeInput),
    forms.EmailField(),
    forms.IntegerField(min_value=1),
    forms.BooleanField(),
    forms.BooleanField(widget=ToggleInput),
    forms.ChoiceField(choices=GROUPED),
    forms.MultipleChoiceField(choices=GROUPED),
    CheckedField(check=str),
    DayField(),
    MoneyField(),
    PercentField(),
    PhoneField(),
]


@pytest.mark.parametrize("value", [None, "", 1, "2", EVIL, "а\nб", True])
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field.widget).__name__)
def test_an_input_looks_as_its_template_draws_it(field: forms.Field, value: Any) -> None:
    form = type("OneForm", (forms.Form,), {"it": field})
    renderers = (FormRenderer(), TemplatesSetting())
    bound_fields = (form(initial={"it": value}, renderer=renderer)["it"] for renderer in renderers)
    ours, djangos = (BETWEEN_TAGS.sub("><", str(bound)) for bound in bound_fields)
    assert ours == djangos


@pytest.mark.parametrize("is_required", [True, False])
@pytest.mark.parametrize("value", [None, "", 1, "2", EVIL, "another"])
def test_a_choice_from_a_list_does_too(value: Any, is_required: bool) -> None:
    ours, djangos = (
        forms.ChoiceField(choices=FLAT, required=is_required, widget=widget({"data-x": EVIL}))
        for widget in (ChoiceInput, forms.Select)
    )
    form = type("TwoForms", (forms.Form,), {"it": ours}), type("TwoForms", (forms.Form,), {"it": djangos})
    ours_drawn, djangos_drawn = (BETWEEN_TAGS.sub("><", str(one(initial={"it": value})["it"])) for one in form)
    assert ours_drawn == djangos_drawn
