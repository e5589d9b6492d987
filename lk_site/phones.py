"""Phones as people type them, normalised to digits with country code."""

import re
import unicodedata
from typing import NoReturn

import phonenumbers
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lk_site.errors import InvalidValue

RUSSIA = "7"
RUSSIAN_DIGITS = 10  # after the country code
DIGITS_AT_LEAST, DIGITS_AT_MOST = 8, 15  # with country code; E.164 ends at 15
MASKS = re.compile(r"[*•●×]")
PUNCTUATION = re.compile(r"[\s()\[\].,/\-\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def normalize_phone(text: str, *, agent: bool = False) -> str:
    """Return digits with country code: of a Russian mobile for an agent, else of any valid number.

    A number is Russian unless it starts with +. Raises InvalidValue: `phone_masked` for a mask, `phone_invalid` for
    anything else, with a sentence that says what to do.
    """
    typed = unicodedata.normalize("NFKC", text)
    if MASKS.search(typed):
        raise InvalidValue("phone_masked", _("The number is hidden by asterisks. Type it in full."))
    has_plus, digits = digits_of(PUNCTUATION.sub("", typed).removeprefix("tel:"))
    if has_plus and not digits.startswith((RUSSIA, "89")):  # no country has +89: it is 8 9… with a plus too many
        return not_for_agents() if agent else foreign(digits)
    ten = national(digits, has_prefix=has_plus or len(digits) > RUSSIAN_DIGITS or digits.startswith(("79", "89")))
    return russian_mobile(ten) if agent else russian(ten)


def digits_of(typed: str) -> tuple[bool, str]:
    """Return whether a plus stands in front, and the digits; raises InvalidValue for anything else."""
    digits = typed.removeprefix("+")
    if not digits:
        raise refused(_("Type a number, for example +7 916 123-45-67."))
    if not digits.isdecimal():
        raise refused(_("A number has digits only. Remove the rest."))
    return typed.startswith("+"), "".join(str(int(digit)) for digit in digits)


def national(digits: str, *, has_prefix: bool) -> str:
    """Return the ten digits after 7 or 8, or raise InvalidValue with their count."""
    ten = digits[1:] if has_prefix and digits[0] in "78" else digits
    if len(ten) == RUSSIAN_DIGITS:
        return ten
    raise refused(count_sentence(len(ten)))


def russian(ten: str) -> str:
    """Return a valid number of the Russian plan, which Kazakhstan shares, or raise InvalidValue."""
    number = RUSSIA + ten
    if ten[0] == "9":
        return number  # mobile ranges are handed out faster than lists of them are updated
    if not phonenumbers.is_valid_number(phonenumbers.parse(f"+{number}")):
        raise refused(_("There is no such number. Check the digits after +7."))
    return number


def russian_mobile(ten: str) -> str:
    """Return a Russian mobile number, or raise InvalidValue."""
    return RUSSIA + ten if ten[0] == "9" else not_for_agents()


def not_for_agents() -> NoReturn:
    raise refused(_("This needs a Russian mobile number: after +7 comes 9."))


def count_sentence(count: int) -> str:
    """Return how many digits there are and what to do about it."""
    if count < RUSSIAN_DIGITS:
        sentence = ngettext(
            "The number has %(count)d digit, %(needed)d are needed. Check the end.",
            "The number has %(count)d digits, %(needed)d are needed. Check the end.",
            count,
        )
    else:
        sentence = ngettext(
            "The number has %(count)d digit, %(needed)d are needed. A foreign one starts with +.",
            "The number has %(count)d digits, %(needed)d are needed. A foreign one starts with +.",
            count,
        )
    return sentence % {"count": count, "needed": RUSSIAN_DIGITS}


def foreign(digits: str) -> str:
    """Return a valid number of another country, or raise InvalidValue."""
    if len(digits) > DIGITS_AT_MOST + 1:  # one more: a national 0 is often typed in brackets
        raise refused(_("The number is too long. Check the end."))
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        raise refused(_("There is no such number. Check the country code after +.")) from None
    normal = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    if not (phonenumbers.is_valid_number(number) and DIGITS_AT_LEAST <= len(normal) <= DIGITS_AT_MOST):
        raise refused(_("There is no such number. Check the country code after + and the end."))
    return normal


def refused(message: str) -> InvalidValue:
    return InvalidValue("phone_invalid", message)
