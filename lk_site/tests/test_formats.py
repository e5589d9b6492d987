from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from lk_site import formats

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 3, 12, 18, 0, tzinfo=UTC)  # 21:00 in Moscow


def plain(text: str) -> str:
    """Read a text with ordinary spaces, so that expectations can be read."""
    return text.replace(formats.NARROW, " ").replace(formats.NO_BREAK, " ")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("12500000.00"), "12 500 000 ₽"),
        (Decimal("999999999999.99"), "999 999 999 999,99 ₽"),
        (Decimal("1500.5"), "1 500,50 ₽"),
        (Decimal("0.01"), "0,01 ₽"),
        (Decimal("-1000"), "−1 000 ₽"),
        (0, "0 ₽"),
        (None, ""),
    ],
)
def test_money_shows_kopecks_only_when_there_are_some(amount: Decimal | int | None, text: str) -> None:
    assert plain(formats.money_text(amount)) == text


def test_money_never_breaks_across_lines() -> None:
    assert formats.money_text(Decimal("12500000")) == "12\u202f500\u202f000\u202f₽"


@pytest.mark.parametrize(
    ("value", "text"), [(Decimal("3.00"), "3 %"), (Decimal("2.50"), "2,5 %"), (Decimal("100"), "100 %"), (None, "")]
)
def test_percent_drops_zeros_it_does_not_need(value: Decimal | None, text: str) -> None:
    assert plain(formats.percent_text(value)) == text


@pytest.mark.parametrize(
    ("digits", "shown", "masked"),
    [
        ("79161234567", "+7 916 123-45-67", "+7 916 ***-**-67"),
        ("77011234567", "+7 701 123 4567", "+7 701 *** **67"),
        ("493012345678", "+49 30 12345678", "+49 30 1*****78"),
        ("376312345", "+376 312 345", "+376 *** **5"),
    ],
)
def test_phones_are_grouped_and_masked(digits: str, shown: str, masked: str) -> None:
    assert plain(formats.phone_text(digits)) == shown
    assert plain(formats.mask_phone(digits)) == masked


@pytest.mark.parametrize("digits", ["79161234567", "376312345", "12025550123", "442079460958", "99999999"])
def test_a_mask_hides_enough_that_it_cannot_be_guessed(digits: str) -> None:
    assert formats.mask_phone(digits).count("*") >= 5


@pytest.mark.parametrize(
    ("day", "russian", "english"),
    [
        (date(2026, 3, 12), "сегодня", "today"),
        (date(2026, 3, 11), "вчера", "yesterday"),
        (date(2026, 3, 13), "завтра", "tomorrow"),
        (date(2026, 5, 1), "1 мая", "1 May"),
        (date(2025, 3, 12), "12 мар 2025", "12 Mar 2025"),
    ],
)
def test_days_near_have_names_and_far_ones_a_year(day: date, russian: str, english: str) -> None:
    today = date(2026, 3, 12)
    assert plain(formats.day_text(day, today)) == russian
    assert plain(formats.day_text(day, today, "en-gb")) == english


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 12, 11, 5, tzinfo=UTC), "сегодня, 14:05"),
        (datetime(2026, 3, 11, 6, 10, tzinfo=UTC), "вчера, 9:10"),
        (datetime(2026, 3, 11, 21, 30, tzinfo=UTC), "сегодня, 0:30"),
        (datetime(2026, 2, 1, 9, 0, tzinfo=UTC), "1 фев"),
        (datetime(2024, 12, 31, 21, 0, tzinfo=UTC), "1 янв 2025"),
    ],
)
def test_moments_are_told_in_the_zone_of_the_reader(moment: datetime, text: str) -> None:
    assert plain(formats.when_text(moment, NOW, MOSCOW)) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 сделок"),
        (1, "1 сделка"),
        (2, "2 сделки"),
        (5, "5 сделок"),
        (11, "11 сделок"),
        (21, "21 сделка"),
        (112, "112 сделок"),
    ],
)
def test_russian_counts_take_the_right_form(count: int, text: str) -> None:
    assert plain(formats.count_text(count, "сделка", "сделки", "сделок")) == text


@pytest.mark.parametrize(
    ("age", "russian", "english"),
    [
        (timedelta(minutes=5), "меньше часа", "less than an hour"),
        (timedelta(hours=21), "21 час", "21 hours"),
        (timedelta(days=1), "1 день", "1 day"),
        (timedelta(days=34), "34 дня", "34 days"),
    ],
)
def test_ages_are_told_in_hours_and_then_days(age: timedelta, russian: str, english: str) -> None:
    assert plain(formats.age_text(age)) == russian
    assert plain(formats.age_text(age, "en")) == english
