"""The device cookie: this browser has logged in with a phone before. It holds a random id, never the phone."""

import base64
import binascii
from uuid import UUID

from django.core.signing import BadSignature, Signer

from lk_site.encryption import blind_index, blind_indexes

LABEL = "device.phone"
INDEX_BYTES = 17  # with the key's id a multiple of three: no padding, which cookies would quote


def cookie_of(device_id: UUID, phone: str) -> str:
    """Return the cookie's value: the id and the phone's index, signed."""
    index = base64.urlsafe_b64encode(blind_index("agent_index", LABEL, phone, size=INDEX_BYTES)).decode()
    return signer().sign(f"{device_id.hex}.{index}")


def device_of(cookie: str, phone: str) -> UUID | None:
    """Return the id of a browser that has logged in with this very phone, or None."""
    try:
        device, _, index = signer().unsign(cookie).partition(".")
        known = base64.urlsafe_b64decode(index)
    except (BadSignature, binascii.Error, ValueError):
        return None
    if known not in blind_indexes("agent_index", LABEL, phone, size=INDEX_BYTES):
        return None
    return UUID(hex=device)


def known_device(cookie: str) -> str | None:
    """Return the id of a browser that has logged in before, with whatever phone; None for a cookie that is not ours."""
    try:
        return signer().unsign(cookie).partition(".")[0]
    except BadSignature:
        return None


def signer() -> Signer:
    return Signer(salt="lk.device", sep=".")
