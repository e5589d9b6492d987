"""Keyed indexes: equality of what the database cannot read. The key's id stands in front, so keys can be rotated."""

from uuid import UUID

from lk_site.encryption.keys import ring

Part = str | bytes | UUID
SHORT_BITS_AT_MOST = 48  # with the key's id above them a short index fits a signed 64-bit column


def framed(parts: tuple[Part, ...]) -> bytes:
    """Return the parts as one message in which no two lists of parts look alike."""
    pieces = [b"lk index 1"]
    for part in parts:
        data = part.bytes if isinstance(part, UUID) else part.encode() if isinstance(part, str) else part
        pieces.append(len(data).to_bytes(4, "big") + data)
    return b"".join(pieces)


def blind_index(purpose: str, *parts: Part, size: int = 32, key_id: int | None = None) -> bytes:
    """Return the key's id and `size` bytes of an HMAC of the parts, under the key that writes or the named one."""
    keys = ring(purpose)
    key_id = keys.active_id if key_id is None else key_id
    return bytes((key_id,)) + keys.mac(framed(parts), key_id)[:size]


def blind_indexes(purpose: str, *parts: Part, size: int = 32) -> list[bytes]:
    """Return the index under every key of the purpose: for looking up, with `__in`."""
    keys, message = ring(purpose), framed(parts)
    return [bytes((key_id,)) + keys.mac(message, key_id)[:size] for key_id in keys.keys]


def short_index(purpose: str, *parts: Part, bits: int = 24, key_id: int | None = None) -> int:
    """Return a truncated HMAC of the parts below the key's id: for storing. Rows found by it are candidates."""
    keys = ring(purpose)
    key_id = keys.active_id if key_id is None else key_id
    return shortened(key_id, keys.mac(framed(parts), key_id), bits)


def short_indexes(purpose: str, *parts: Part, bits: int = 24) -> list[int]:
    """Return the short index under every key of the purpose: for looking up, with `__in`."""
    keys, message = ring(purpose), framed(parts)
    return [shortened(key_id, keys.mac(message, key_id), bits) for key_id in keys.keys]


def shortened(key_id: int, mac: bytes, bits: int) -> int:
    if not 1 <= bits <= SHORT_BITS_AT_MOST:
        raise ValueError(f"a short index has 1 to {SHORT_BITS_AT_MOST} bits")
    return key_id << bits | int.from_bytes(mac[:8], "big") >> 64 - bits
