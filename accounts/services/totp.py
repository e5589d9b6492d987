"""Time-based codes (RFC 6238) and back-up codes, as staff and agents have them: made, written, and recognised."""

import hmac
import re
import secrets
import string
import time
import unicodedata
from base64 import b32decode, b32encode
from urllib.parse import quote, urlencode

from django.utils.translation import gettext_lazy as _
from django_otp.oath import TOTP

from lk_site.errors import InvalidValue

DIGITS, STEP_S, TOLERANCE = 6, 30, 1  # RFC 6238: one step of drift either way
SECRET_BYTES = 20  # RFC 4226, R6: 160 bits
BACKUP_CODES, BACKUP_CODE_LENGTH = 10, 10
BACKUP_ALPHABET = "".join(sorted(set(string.ascii_lowercase + string.digits) - set("ilo01")))  # 49 bits in ten letters
BETWEEN = re.compile(r"[\s-]+")
TYPED = re.compile(rf"[0-9]{{{DIGITS}}}|[{BACKUP_ALPHABET}]{{{BACKUP_CODE_LENGTH}}}")


def new_secret() -> str:
    """Return a secret in base32, as apps read it."""
    return b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def url_of(secret: str, account: str) -> str:
    """Return the secret as an authenticator app scans it; the app lists it under the account's name."""
    return f"otpauth://totp/{quote(f'LK:{account}')}?{urlencode({'secret': secret, 'issuer': 'LK'})}"


def step_of(secret: str, code: str) -> int | None:
    """Return the time step, of those that count now, whose code this is."""
    now = int(time.time()) // STEP_S
    key = b32decode(secret)
    found = None
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        totp = TOTP(key, step=STEP_S, digits=DIGITS)
        totp.time = step * STEP_S
        if hmac.compare_digest(f"{totp.token():0{DIGITS}}".encode(), code.encode()):
            found = step
    return found


def new_backup_codes() -> list[str]:
    return ["".join(secrets.choice(BACKUP_ALPHABET) for _ in range(BACKUP_CODE_LENGTH)) for _ in range(BACKUP_CODES)]


def written(backup_code: str) -> str:
    """Return a back-up code as it is shown: with a dash in the middle."""
    middle = BACKUP_CODE_LENGTH // 2
    return f"{backup_code[:middle]}-{backup_code[middle:]}"


def is_totp(code: str) -> bool:
    """Return whether a code has the shape that apps show; any other one is a back-up code."""
    return len(code) == DIGITS and code.isdecimal()


def clean_factor_code(text: str) -> str:
    """Return the app's six digits or the back-up code that was typed. Raises InvalidValue: `code_invalid`."""
    code = BETWEEN.sub("", unicodedata.normalize("NFKC", text)).lower()
    if not TYPED.fullmatch(code):
        raise InvalidValue("code_invalid", _("The app shows six digits; a back-up code has ten letters and digits."))
    return code
