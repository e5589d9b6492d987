"""Indexes find what the database cannot read: equal for equal parts, under every key, and telling parts apart."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid6 import uuid7

from lk_site.encryption import (
    blind_index,
    blind_indexes,
    last4_token,
    last4_tokens,
    name_tokens,
    short_index,
    short_indexes,
    word_tokens,
)
from lk_site.encryption.indexes import framed
from lk_site.encryption.keys import generate_keys, new_key
from lk_site.text import words

AGENCY, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def rotated(settings):
    """A second client key that writes, beside the first one."""
    keys = settings.KEYS
    settings.KEYS = keys | {"client_index": [{"id": 2, "key": new_key()}, *keys["client_index"]]}


def test_an_index_starts_with_its_key_and_is_as_long_as_asked():
    index = blind_index("client_index", "phone", AGENCY, "79161234567")
    assert (index[0], len(index)) == (1, 33)
    assert len(blind_index("client_index", "x", size=8)) == 9
    assert index == blind_index("client_index", b"phone", AGENCY.bytes, "79161234567")


@pytest.mark.parametrize(
    "parts", [("phone", OTHER, "7916"), ("email", AGENCY, "7916"), ("phone", AGENCY, "7917"), ("phone7916", AGENCY, "")]
)
def test_another_agency_column_or_value_has_another_index(parts):
    assert blind_index("client_index", *parts) != blind_index("client_index", "phone", AGENCY, "7916")


def test_another_purpose_or_key_has_another_index(settings):
    index = blind_index("client_index", "x")
    assert blind_index("agent_index", "x")[1:] != index[1:]
    settings.KEYS = generate_keys()
    assert blind_index("client_index", "x")[1:] != index[1:]


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_no_two_lists_of_parts_look_alike(one, other):
    assert (framed(tuple(one)) == framed(tuple(other))) is (one == other)


def test_a_key_of_a_subclass_of_uuid_is_the_same_part():
    key = uuid7()
    assert framed((key,)) == framed((UUID(bytes=key.bytes),))


def test_what_an_older_key_wrote_is_still_looked_for(settings):
    old = blind_index("client_index", "x"), short_index("client_index", "x")
    keys = settings.KEYS
    settings.KEYS = keys | {"client_index": [{"id": 2, "key": new_key()}, *keys["client_index"]]}
    new = blind_index("client_index", "x"), short_index("client_index", "x")
    assert blind_indexes("client_index", "x") == [new[0], old[0]]
    assert short_indexes("client_index", "x") == [new[1], old[1]]


@given(text=st.text(st.characters(exclude_categories=["Cs"])), bits=st.integers(1, 48))
def test_a_short_index_has_the_key_above_its_bits_and_fits_the_column(text, bits):
    index = short_index("client_index", text, bits=bits)
    assert index >> bits == 1
    assert 0 <= index < 2**63


def test_24_bits_fit_a_signed_32_bit_column_under_any_key(settings):
    settings.KEYS = settings.KEYS | {"client_index": [{"id": 127, "key": new_key()}]}
    assert short_index("client_index", "x") < 2**31


@pytest.mark.parametrize("bits", [0, 49])
def test_more_bits_than_fit_are_refused(bits):
    with pytest.raises(ValueError, match="1 to 48 bits"):
        short_index("client_index", "x", bits=bits)


def test_a_name_is_found_by_the_beginning_of_any_word_and_by_a_short_word():
    tokens = name_tokens(AGENCY, "Анна-Мария Ким  ЛИ Александровна")
    for word in ("анн", "анна", "мари", "ким", "ли", "александровна", "александрова"[:7], "алекс"):
        assert tokens.intersection(word_tokens(AGENCY, word)), word
    for word in ("нна", "ан", "сандр", "маша"):
        assert not tokens.intersection(word_tokens(AGENCY, word)), word
    assert not name_tokens(OTHER, "Анна").intersection(tokens)


def test_a_name_is_folded_as_the_query_is():
    assert name_tokens(AGENCY, "АЛЁНА") == name_tokens(AGENCY, "алена")
    assert name_tokens(AGENCY, " — ") == set()


@pytest.mark.usefixtures("rotated")
@given(name=st.text(st.characters(categories=["L", "Zs", "Pd"]), max_size=30), length=st.integers(3, 12))
def test_whatever_the_name_the_beginning_of_its_word_finds_it(name, length):
    tokens = name_tokens(AGENCY, name)
    for word in words(name):
        assert tokens.intersection(word_tokens(AGENCY, word[:length]))


def test_a_number_is_found_by_its_last_four_digits():
    assert last4_token(AGENCY, "79161234567") in last4_tokens(AGENCY, "4567")
    assert last4_token(AGENCY, "79161234567") not in last4_tokens(AGENCY, "4568")
    assert last4_token(OTHER, "79161234567") not in last4_tokens(AGENCY, "4567")
