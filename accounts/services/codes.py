"""The six digits: made, kept as a keyed digest, recognised, and written into an SMS."""

import hmac
import re
import secrets
import unicodedata

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Challenge
from lk_site.encryption import blind_index, blind_indexes
from lk_site.errors import InvalidValue

DIGITS = 6
SEGMENT = 70  # characters of a Cyrillic SMS in one part
SIX_DIGITS = re.compile(r"[0-9]{6}", re.ASCII)
SPACES = re.compile(r"[\s-]+")


def new_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def clean_code(text: str) -> str:
    """Return the six digits that were typed, spaces between them aside. Raises InvalidValue: `code_invalid`."""
    code = SPACES.sub("", unicodedata.normalize("NFKC", text))
    if not SIX_DIGITS.fullmatch(code):
        raise InvalidValue("code_invalid", gettext_lazy("The code has six digits. Check the SMS."))
    return code


def digest(challenge: Challenge, phone: str, code: str) -> bytes:
    """Return what is stored of a code: a keyed HMAC, bound to challenge, phone and purpose."""
    return blind_index("codes", challenge.pk, challenge.purpose, phone, code)


def is_right(challenge: Challenge, phone: str, code: str) -> bool:
    """Return whether the code is the challenge's, compared in constant time."""
    if challenge.code_digest is None:
        return False
    stored = bytes(challenge.code_digest)
    candidates = blind_indexes("codes", challenge.pk, challenge.purpose, phone, code)
    return any(hmac.compare_digest(stored, candidate) for candidate in candidates)


def sms_text(code: str) -> str:
    """Return a text of one segment that names nobody; its last line lets the browser fill the code in (WebOTP)."""
    last_line = f"@{settings.SITE_HOST} #{code}"
    sentences = (_("Code %(code)s. Tell it to nobody."), _("Code %(code)s"))
    texts = (f"{sentence % {'code': code}}\n{last_line}" for sentence in sentences)
    return next((text for text in texts if len(text) <= SEGMENT), last_line)
