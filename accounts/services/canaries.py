"""Canaries: a known text sealed under each key, so that a start with other keys is noticed at once."""

from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate

from accounts.models import KeyCanary
from lk_site.encryption import check_canary, seal_canary
from lk_site.encryption.keys import PURPOSES, ring

GUARDED = [purpose for purpose in PURPOSES if purpose != "signing"]  # another signing key costs cookies, no data


def check_canaries() -> None:
    """Raise KeyMissing or KeyInvalid unless every key that this database was written with is loaded and is the same."""
    for canary in KeyCanary.objects.order_by("purpose", "key_id"):
        check_canary(bytes(canary.token), canary.purpose)


def unguarded_purposes() -> list[str]:
    """Return the purposes that have no canary: nobody could tell a wrong key of theirs."""
    guarded = set(KeyCanary.objects.values_list("purpose", flat=True))
    return [purpose for purpose in GUARDED if purpose not in guarded]


def plant_canaries() -> None:
    """Seal a canary under each loaded key that has none. Raises as `check_canaries` does, and then plants nothing."""
    check_canaries()
    planted = set(KeyCanary.objects.values_list("purpose", "key_id"))
    KeyCanary.objects.bulk_create(
        KeyCanary(purpose=purpose, key_id=key_id, token=seal_canary(purpose, key_id))
        for purpose in GUARDED
        for key_id in ring(purpose).keys
        if (purpose, key_id) not in planted
    )


def plant_after_migrate(**kwargs: Any) -> None:
    if KeyCanary._meta.db_table in connection.introspection.table_names():  # it may be another app's first migration
        plant_canaries()


def keep_planted() -> None:
    """Plant canaries whenever migrations have run."""
    post_migrate.connect(plant_after_migrate, sender=apps.get_app_config("accounts"), dispatch_uid="accounts.canaries")
