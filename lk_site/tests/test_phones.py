"""A phone is what people type, normalised; what is no number is refused with a sentence that says what to do."""

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from lk_site.errors import InvalidValue
from lk_site.formats import mask_phone, phone_text
from lk_site.phones import normalize_phone

SPELLINGS = [
    "+7 916 123-45-67",
    "8 (916) 123-45-67",
    "8(916)1234567",
    "79161234567",
    "9161234567",
    "+79161234567",
    "+8 916 123 45 67",
    "tel:+7-916-123-45-67",
    "８ ９１６ １２３ ４５ ６７",
    "＋７９１６１２３４５６７",
    "+7\u00a0916\u202f123\u201145\u201367",
    "\u202a+7 916 123-45-67\u202c",  # copied from a phone's contacts
    " 8.916.123.45.67\n",
]
NO_NUMBERS = [
    "",
    "+",
    " ",
    "abc",
    "+7 916 abc-45-67",
    "8 916 123-45-67 доб. 12",
    "\x00",
    "\ud800",
    "+12",
    "+" + "9" * 40,
    "+999999999999",
    "000 000-00-00",
    "+7 100 000-00-00",
    "++79161234567",
    "²" * 10,
    "+44 20 7946 095",
]


def refusal(text, **kwargs):
    with pytest.raises(InvalidValue) as refused, override("en"):
        normalize_phone(text, **kwargs)
    with override("en"):
        return refused.value.code, str(refused.value)


@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.parametrize("agent", [True, False])
def test_every_usual_spelling_is_the_same_number(text, agent):
    assert normalize_phone(text, agent=agent) == "79161234567"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("812 123-45-67", "78121234567"),
        ("8 495 123-45-67", "74951234567"),
        ("+7 701 123 45 67", "77011234567"),  # Kazakhstan
        ("+44 (0)20 7946 0958", "442079460958"),
        ("+1 202 555 0173", "12025550173"),
        ("+372 5123 4567", "37251234567"),
    ],
)
def test_a_client_may_have_any_valid_number_and_an_agent_may_not(text, digits):
    assert normalize_phone(text) == digits
    assert refusal(text, agent=True) == ("phone_invalid", "This needs a Russian mobile number: after +7 comes 9.")


@pytest.mark.parametrize("text", [mask_phone("79161234567"), "+7 916 ***-**-67", "+7 916 •••-••-67", "＊＊67"])
@pytest.mark.parametrize("agent", [True, False])
def test_a_mask_is_not_a_number(text, agent):
    assert refusal(text, agent=agent)[0] == "phone_masked"


@pytest.mark.parametrize("agent", [True, False])
@pytest.mark.parametrize(
    ("text", "count"), [("916123456", 9), ("8 916 123-45-6", 9), ("+7 916 123-45-6", 9), ("7", 1), ("+7 916", 3)]
)
def test_a_short_number_is_counted_without_its_prefix(text, count, agent):
    code, sentence = refusal(text, agent=agent)
    assert code == "phone_invalid"
    assert sentence.startswith(f"The number has {count} digit")
    assert sentence.endswith("10 are needed. Check the end.")


@pytest.mark.parametrize(("text", "count"), [("8 916 123-45-678", 11), ("442079460958", 12), ("0" * 500, 500)])
def test_a_number_is_russian_unless_it_starts_with_plus(text, count):
    assert f"{count} digits, 10 are needed. A foreign one starts with +" in refusal(text)[1]


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("agent", [True, False])
def test_what_is_no_number_is_refused(text, agent):
    assert refusal(text, agent=agent)[0] == "phone_invalid"


@given(st.text())
def test_whatever_comes_is_refused_or_a_number(text):
    for agent in (True, False):
        try:
            digits = normalize_phone(text, agent=agent)
        except InvalidValue:
            continue
        assert digits.isascii()
        assert digits.isdigit()
        assert 8 <= len(digits) <= 15


@given(st.from_regex(r"(79\d{9}|7495\d{7}|4420\d{8}|37251\d{6}|1202555\d{4})", fullmatch=True))
def test_normalising_twice_changes_nothing(digits):
    try:
        once = normalize_phone(f"+{digits}")
    except InvalidValue:
        return
    assert once == normalize_phone(f"+{once}") == normalize_phone(phone_text(once))
    assert not once.startswith("7") or normalize_phone(once) == once
