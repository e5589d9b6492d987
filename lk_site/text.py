"""Text as people type it: checked and normalised once, for pages and API alike."""

import re
import unicodedata
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from lk_site.errors import InvalidValue

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

EMAIL_AT_MOST = 254  # characters (RFC 5321)
BIDI = "\u202a-\u202e\u2066-\u2069"  # they show a text in another order than it is stored
CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # all but tab and line feed
BROKEN = "\ud800-\udfff\ufffd"  # half a character, and what stands where bytes were none
REFUSED_IN_TEXT = re.compile(f"[{CONTROLS}{BIDI}{BROKEN}]")
REFUSED_IN_LINE = re.compile(f"[{CONTROLS}{BIDI}{BROKEN}\t\n\u2028\u2029]")
LINE_BREAKS = re.compile("\r\n|[\r\u2028\u2029]")
UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")  # categories of controls, marks without width, and space
WORD = re.compile(r"[^\W_]+")


def clean_line(value: str, max_length: int) -> str:
    """Return one-line text in NFC without space around it, nothing for one that shows nothing.

    `max_length` counts code points. Raises InvalidValue: `surrogate`, `line_break`, `control_character`,
    `bidi_override`, `too_long`.
    """
    line = value.strip(" \t\r\n")
    refuse_characters(line, REFUSED_IN_LINE)
    return fitting(visible(unicodedata.normalize("NFC", line)), max_length)


def clean_text(value: str, max_length: int) -> str:
    """Return text of several lines in NFC, ended by LF, without space around it, nothing for one that shows nothing.

    `max_length` counts code points. Raises InvalidValue: `surrogate`, `control_character`, `bidi_override`, `too_long`.
    """
    text = LINE_BREAKS.sub("\n", value).strip(" \t\n")
    refuse_characters(text, REFUSED_IN_TEXT)
    return fitting(visible(unicodedata.normalize("NFC", text)), max_length)


def visible(text: str) -> str:
    """Return the text without space around it, or nothing if all its characters are space and marks without width."""
    return text.strip() if any(unicodedata.category(character) not in UNSEEN for character in text) else ""


def refuse_characters(text: str, refused: re.Pattern[str]) -> None:
    """Raise InvalidValue for the first character of the text that `refused` finds."""
    if found := refused.search(text):
        character = found.group()
        raise InvalidValue(*refusal(character))


def refusal(character: str) -> tuple[str, "_StrOrPromise"]:
    if "\ud800" <= character <= "\udfff" or character == "\ufffd":
        return "surrogate", _("A character came broken. Type the text again.")
    if character in "\n\u2028\u2029\r":
        return "line_break", _("This is one line. Remove the line break.")
    if unicodedata.category(character) == "Cc":
        return "control_character", _("The text has a control character. Remove it or type the text again.")
    return "bidi_override", _("The text has a hidden character that turns its direction. Type the text again.")


def fitting(text: str, max_length: int) -> str:
    """Return the text if it has at most `max_length` code points, or raise InvalidValue `too_long`."""
    if (excess := len(text) - max_length) <= 0:
        return text
    message = ngettext_lazy(
        "Too long by %(excess)d character, %(most)d fit. Shorten it.",
        "Too long by %(excess)d characters, %(most)d fit. Shorten it.",
        "excess",
    )
    raise InvalidValue("too_long", message % {"excess": excess, "most": max_length})


def fold(text: str) -> str:
    """Return text as it is compared: without case, with е for ё, one space between words. Stored for SQLite's sake."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    return " ".join(folded.replace("ё", "е").split())


def words(text: str) -> list[str]:
    """Return the folded words of a text, letters and digits only, in their order."""
    return WORD.findall(fold(text))


def clean_email(value: str) -> str:
    """Return an e-mail address without space around it, or nothing for nothing.

    Raises InvalidValue: what `clean_line` raises, and `email_invalid`.
    """
    address = clean_line(value, EMAIL_AT_MOST)
    try:
        if address:
            validate_email(address)
    except ValidationError:
        raise InvalidValue("email_invalid", _("This is not an e-mail address. Check it.")) from None
    return address
