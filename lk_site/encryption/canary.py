"""A known text sealed under a key: whoever cannot open it has another key and must not start."""

from lk_site.encryption.cells import CannotOpen, seal, unseal
from lk_site.encryption.keys import KeyInvalid, ring

LABEL, TEXT = b"canary", "the key of this database"


def seal_canary(purpose: str = "fields", key_id: int | None = None) -> bytes:
    """Return a token that only this key of the purpose opens: the active one unless an id is given."""
    return seal(TEXT, LABEL, purpose, ring_of=purpose, key_id=key_id)


def check_canary(token: bytes, purpose: str = "fields") -> None:
    """Raise KeyMissing or KeyInvalid unless the key that sealed the token is among the keys of the purpose."""
    ring(purpose).key(token[1] if len(token) > 1 else 0)
    try:
        unseal(bytes(token), LABEL, purpose, ring_of=purpose)
    except CannotOpen:
        raise KeyInvalid(f"The key {token[1]} of {purpose} is not the one this database was written with.") from None
