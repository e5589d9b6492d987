"""Short tokens to search clients by the beginning of a name's word or the last four digits of a number.

Rows found by a token are candidates: compare them after opening. Cutting the hash hides almost nothing from who has
both the table and the key.
"""

from uuid import UUID

from lk_site.encryption.indexes import short_index, short_indexes
from lk_site.text import words

PREFIX_AT_LEAST, PREFIX_AT_MOST = 3, 6
BITS = 24  # of 500,000 clients no false candidate was seen at 24 bits, 0.4 a query at 20


def name_tokens(agency_id: UUID, name: str, *, key_id: int | None = None) -> set[int]:
    """Return the tokens to store for a name: of each word's beginnings of 3 to 6 letters, and of each whole word.

    They are made under the key that writes, or the named one.
    """
    beginnings = {word[:length] for word in words(name) for length in range(PREFIX_AT_LEAST, PREFIX_AT_MOST + 1)}
    return {name_token(agency_id, text, key_id) for text in beginnings | set(words(name)) if text}


def name_token(agency_id: UUID, beginning: str, key_id: int | None) -> int:
    return short_index("client_index", "name", agency_id, beginning, bits=BITS, key_id=key_id)


def word_tokens(agency_id: UUID, word: str) -> list[int]:
    """Return the tokens, under every key, of names in which a word begins with this folded one."""
    return short_indexes("client_index", "name", agency_id, word[:PREFIX_AT_MOST], bits=BITS)


def last4_token(agency_id: UUID, digits: str, *, key_id: int | None = None) -> int:
    """Return the token to store for the last four digits of a number."""
    return short_index("client_index", "last4", agency_id, digits[-4:], bits=BITS, key_id=key_id)


def last4_tokens(agency_id: UUID, digits: str) -> list[int]:
    """Return the tokens, under every key, of numbers that end in these four digits."""
    return short_indexes("client_index", "last4", agency_id, digits[-4:], bits=BITS)
