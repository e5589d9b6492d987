"""Canaries: a known text sealed under each key that encrypts or did; a start with other keys is noticed at once."""

from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate

from accounts.models import KeyCanary
from lk_site.encryption.cells import CannotOpen, seal, unseal
from lk_site.encryption.keys import PURPOSES, KeyInvalid, ring

GUARDED = [purpose for purpose in PURPOSES if purpose != "signing"]  # another signing key costs cookies, no data

LABEL, TEXT = b"canary", "the key of this database"


def seal_canary(purpose: str, key_id: int | None = None) -> bytes:
    """Return a token that only this key of the purpose opens: the active one unless an id is given."""
    return seal(TEXT, LABEL, purpose, ring_of=purpose, key_id=key_id)


def check_canary(token: bytes, purpose: str) -> None:
    """Raise KeyMissing or KeyInvalid unless the key that sealed the token is among the keys of the purpose."""
    ring(purpose).key(token[1] if len(token) > 1 else 0)
    try:
        unseal(token, LABEL, purpose, ring_of=purpose)
    except CannotOpen:
        raise KeyInvalid(f"The key {token[1]} of {purpose} is not the one this database was written with.") from None


def check_canaries() -> None:
    """Raise KeyMissing or KeyInvalid unless every key that this database was written with is loaded and is the same."""
    for canary in KeyCanary.objects.order_by("purpose", "key_id"):
        check_canary(bytes(canary.token), canary.purpose)


def unguarded_purposes() -> list[str]:
    """Return the purposes that have no canary: nobody could tell a wrong key of theirs."""
    guarded = set(KeyCanary.objects.values_list("purpose", flat=True))
    return [purpose for purpose in GUARDED if purpose not in guarded]


def plant_canaries() -> None:
    """Seal a canary under the key that encrypts, for each purpose that has none. Raises as `check_canaries` does.

    Only a key that begins to encrypt gets another one (`processes.begin_use`): a machine that has not got the newest
    key file yet must be able to start until then.
    """
    check_canaries()
    for purpose in unguarded_purposes():
        plant(purpose, ring(purpose).active_id)


def plant(purpose: str, key_id: int) -> bool:
    """Seal a canary under a key unless it has one, and tell whether it had none."""
    _, is_new = KeyCanary.objects.get_or_create(
        purpose=purpose, key_id=key_id, defaults={"token": seal_canary(purpose, key_id)}
    )
    return is_new


def planted(purpose: str) -> list[int]:
    """Return the ids of the keys of a purpose that encrypt or did."""
    return list(KeyCanary.objects.filter(purpose=purpose).values_list("key_id", flat=True))


def uproot(purpose: str, key_id: int) -> None:
    """Forget a key: nothing stands under it."""
    KeyCanary.objects.filter(purpose=purpose, key_id=key_id).delete()


def plant_after_migrate(**kwargs: Any) -> None:
    if KeyCanary._meta.db_table in connection.introspection.table_names():  # it may be another app's first migration
        plant_canaries()


def keep_planted() -> None:
    """Plant canaries whenever migrations have run."""
    post_migrate.connect(plant_after_migrate, sender=apps.get_app_config("accounts"), dispatch_uid="accounts.canaries")
