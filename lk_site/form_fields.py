"""Form fields over the plain checks that the API's schemas borrow too."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from lk_site.errors import DomainError, InvalidValue
from lk_site.formats import number_text
from lk_site.forms import DayInput, MoneyInput, PercentInput, PhoneInput
from lk_site.phones import normalize_phone
from lk_site.text import clean_line, clean_text

SPACES = re.compile(r"[\s\u00a0\u202f\u2009']+")
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?", re.ASCII)
FORM_NAMES = {"next_step_due_on": "next_step_on"}  # where a form's field is called otherwise than in the API
YEARS = (1900, 2199)
PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?", re.ASCII)


class CheckedField(forms.CharField):
    """Text that one of our plain checks cleans; its refusal is shown at the field."""

    def __init__(self, *, check: Callable[[str], Any], **kwargs: Any) -> None:
        self.check = check
        super().__init__(strip=False, **kwargs)

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values or not str(value).strip():
            return self.empty_value
        try:
            return self.check(str(value))
        except InvalidValue as refused:
            raise ValidationError(refused.message, code=refused.code) from None

    def run_validators(self, value: Any) -> None:
        """The check has said everything."""


class LineField(CheckedField):
    """One line of text."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(check=lambda value: clean_line(value, most), **kwargs)


class TextField(CheckedField):
    """Text of several lines."""

    widget = forms.Textarea

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(check=lambda value: clean_text(value, most), **kwargs)


class PhoneField(CheckedField):
    """A phone as people type it; cleans to digits with country code."""

    widget = PhoneInput

    def __init__(self, *, agent: bool = False, **kwargs: Any) -> None:
        super().__init__(check=lambda value: normalize_phone(value, agent=agent), **kwargs)


class MoneyField(CheckedField):
    """Roubles as people type them, `12 500 000,50 ₽`; cleans to Decimal, or None when empty."""

    widget = MoneyInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(check=read_amount, empty_value=None, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Write stored roubles as people do; what was typed stays as it was typed."""
        if not isinstance(value, Decimal):
            return value
        whole, kopecks = f"{value:.2f}".split(".")
        return number_text(int(whole)) + (f",{kopecks}" if kopecks != "00" else "")


class PercentField(CheckedField):
    """A percentage as people type it, `2,5 %`; cleans to Decimal, or None when empty."""

    widget = PercentInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(check=read_percent, empty_value=None, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Write a stored percentage as people do; what was typed stays as it was typed."""
        return number_text(value) if isinstance(value, Decimal) else value


class DayField(forms.DateField):
    """A day of the years 1900 to 2199: beyond them a day is a slip, and time zones overflow."""

    widget = DayInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d", "%d.%m.%Y"], **kwargs)

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        if day is not None and not YEARS[0] <= day.year <= YEARS[1]:
            raise ValidationError(_("Check the year."), code="date_out_of_range")
        return day


def capitalized(choices: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return choices as a list of them is read: each label begins with a capital, in the reader's language."""
    return [(value, capfirst(label)) for value, label in choices]


def read_amount(value: str) -> Decimal:
    """Return roubles read from `12 500 000,50 ₽`. Raises InvalidValue: `amount_invalid`."""
    bare = bare_number(value).removesuffix("₽").removesuffix("р.").removesuffix("руб.")
    if not AMOUNT.fullmatch(bare):
        raise InvalidValue("amount_invalid", _("Write the amount in digits, like 12 500 000."))
    return Decimal(bare)


def read_percent(value: str) -> Decimal:
    """Return a percentage read from `2,5 %`. Raises InvalidValue: `percent_invalid`."""
    bare = bare_number(value).removesuffix("%")
    if not PERCENT.fullmatch(bare):
        raise InvalidValue("percent_invalid", _("Write the percentage in digits, like 2.5."))
    return Decimal(bare)


def bare_number(value: str) -> str:
    return SPACES.sub("", unicodedata.normalize("NFKC", value)).replace(",", ".")


def show_refusal(form: forms.BaseForm, refused: DomainError) -> None:
    """Show a rule's refusal at the fields it names, and above the form what names none of them."""
    if not refused.errors:
        form.add_error(None, ValidationError(str(refused), code=refused.code))
    for error in refused.errors:
        name = error.field.strip("/").replace("/", "_")
        field = name if name in form.fields else FORM_NAMES.get(name)
        form.add_error(field, ValidationError(str(error.message), code=error.code))
