"""Text is cleaned once for both doors, and what a database or a screen could not bear is refused."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lk_site.errors import InvalidValue
from lk_site.text import clean_email, clean_line, clean_text, fold, words

REFUSED = [
    ("\x00", "control_character"),
    ("\x07", "control_character"),
    ("\x1b", "control_character"),
    ("\x7f", "control_character"),
    ("\x85", "control_character"),
    ("\u202e", "bidi_override"),
    ("\u202a", "bidi_override"),
    ("\u2066", "bidi_override"),
    ("\u2069", "bidi_override"),
    ("\ud800", "surrogate"),
    ("\udfff", "surrogate"),
    ("\ufffd", "surrogate"),  # a form's broken UTF-8, once it is decoded
]


def code_of(clean, text):
    with pytest.raises(InvalidValue) as refusal:
        clean(text, 100)
    assert str(refusal.value)
    return refusal.value.code


@pytest.mark.parametrize("clean", [clean_line, clean_text])
@pytest.mark.parametrize(("character", "code"), REFUSED)
@pytest.mark.parametrize("place", ["a{}b", "{}b", "a{}"])
def test_hidden_and_broken_characters_are_refused(clean, character, code, place):
    assert code_of(clean, place.format(character)) == code


@pytest.mark.parametrize("character", ["\n", "\r", "\r\n", "\u2028", "\u2029"])
def test_a_line_break_is_refused_in_a_line_and_normalised_in_text(character):
    assert code_of(clean_line, f"a{character}b") == "line_break"
    assert clean_text(f"a{character}b", 100) == "a\nb"


def test_a_tab_is_kept_in_text_and_refused_in_a_line():
    assert clean_text("a\tb", 100) == "a\tb"
    assert code_of(clean_line, "a\tb") == "control_character"


@pytest.mark.parametrize("clean", [clean_line, clean_text])
def test_space_around_goes_and_letters_are_composed(clean):
    assert clean("  Анна \r\n", 100) == "Анна"
    assert clean("й", 1) == "й"
    assert clean(" \t\n", 1) == ""
    assert clean("👩‍👩‍👧 «Ёлки» — O'Brien", 100) == "👩‍👩‍👧 «Ёлки» — O'Brien"


@pytest.mark.parametrize("clean", [clean_line, clean_text])
@pytest.mark.parametrize("text", ["\u200b", "\u3000 \u200b\ufeff", "\u2060\u00ad"])
def test_a_text_that_shows_nothing_is_none(clean, text):
    assert clean(text, 100) == ""
    assert clean(f"а{text}б", 100) == f"а{text}б"


@pytest.mark.parametrize("clean", [clean_line, clean_text])
def test_length_counts_code_points_after_cleaning(clean):
    assert clean(" " + "😀" * 5 + " ", 5) == "😀" * 5
    with pytest.raises(InvalidValue) as refusal:
        clean("я" * 7, 5)
    assert refusal.value.code == "too_long"
    assert "2" in str(refusal.value)
    assert "5" in str(refusal.value)


@given(st.text())
def test_whatever_comes_is_refused_or_becomes_clean_for_good(text):
    for clean in (clean_line, clean_text):
        try:
            cleaned = clean(text, 50)
        except InvalidValue:
            continue
        assert clean(cleaned, 50) == cleaned == unicodedata.normalize("NFC", cleaned)
        assert len(cleaned) <= 50
        cleaned.encode()
        assert "\x00" not in cleaned
        assert "\r" not in cleaned


def test_folding_forgets_case_yo_and_spaces():
    assert fold("  ЁЛКИ\t Палки ") == "елки палки"
    assert fold("е\u0308ж") == "еж"
    assert fold("МОСКВА") == fold("москва")
    assert fold("Straße") == "strasse"


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


def test_words_are_letters_and_digits():
    assert words("ул. Льва Толстого, д. 16-А_б") == ["ул", "льва", "толстого", "д", "16", "а", "б"]
    assert words(" — ") == []


@pytest.mark.parametrize("typed", ["maria@example.ru", "  maria@example.ru ", "a.b+c@пример.рф", ""])
def test_an_email_address_is_taken(typed):
    assert clean_email(typed) == typed.strip()


@pytest.mark.parametrize("typed", ["maria", "@example.ru", "a b@example.ru", "a@b", "a" * 250 + "@e.ru", "a\n@e.ru"])
def test_what_is_no_email_address_is_refused(typed):
    with pytest.raises(InvalidValue):
        clean_email(typed)
