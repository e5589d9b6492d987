"""Personal data sealed to its row, and keyed indexes to find it by.

Settings load the keys from here before any app is ready, when no model can be defined yet. So the names below are
fetched from their modules at first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lk_site.encryption.cells import UNREADABLE, CannotOpen, Cell, Unreadable, ValueUnreadable
    from lk_site.encryption.fields import EncryptedTextField, encrypted_field, open_cell
    from lk_site.encryption.indexes import blind_index, blind_indexes, short_index, short_indexes
    from lk_site.encryption.keyed import KeyedField
    from lk_site.encryption.keys import KeyInvalid, KeyMissing
    from lk_site.encryption.models import EncryptedModel, EncryptedQuerySet
    from lk_site.encryption.tokens import last4_token, last4_tokens, name_tokens, word_tokens

__all__ = [
    "UNREADABLE",
    "CannotOpen",
    "Cell",
    "EncryptedModel",
    "EncryptedQuerySet",
    "EncryptedTextField",
    "KeyInvalid",
    "KeyMissing",
    "KeyedField",
    "Unreadable",
    "ValueUnreadable",
    "blind_index",
    "blind_indexes",
    "encrypted_field",
    "last4_token",
    "last4_tokens",
    "name_tokens",
    "open_cell",
    "short_index",
    "short_indexes",
    "word_tokens",
]
MODULES = {
    "cells": {"UNREADABLE", "CannotOpen", "Cell", "Unreadable", "ValueUnreadable"},
    "fields": {"EncryptedTextField", "encrypted_field", "open_cell"},
    "indexes": {"blind_index", "blind_indexes", "short_index", "short_indexes"},
    "keyed": {"KeyedField"},
    "keys": {"KeyInvalid", "KeyMissing"},
    "models": {"EncryptedModel", "EncryptedQuerySet"},
    "tokens": {"last4_token", "last4_tokens", "name_tokens", "word_tokens"},
}


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
