"""How values are written for people: money, phones, times, counts. Pure functions, called once per row."""

from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache

import phonenumbers

NARROW = "\u202f"  # narrow no-break space: between thousands, before ₽ and %
NO_BREAK = "\u00a0"
MONTHS = {
    "ru": ("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
NEAR_DAYS = {
    "ru": {-1: "вчера", 0: "сегодня", 1: "завтра"},
    "en": {-1: "yesterday", 0: "today", 1: "tomorrow"},
}
UNITS = {
    "ru": {"hour": ("час", "часа", "часов"), "day": ("день", "дня", "дней")},
    "en": {"hour": ("hour", "hours", "hours"), "day": ("day", "days", "days")},
}
LESS_THAN_AN_HOUR = {"ru": "меньше часа", "en": "less than an hour"}
HIDDEN_AT_LEAST = 5  # a mask that hides fewer digits can be guessed by hand


def number_text(value: Decimal | int) -> str:
    """Write a number with narrow spaces between thousands; a decimal part only when there is one."""
    whole, _, part = f"{value:,f}".partition(".")
    text = whole.replace(",", NARROW).replace("-", "\u2212")
    part = part.rstrip("0")
    return f"{text},{part}" if part else text


def money_text(amount: Decimal | int | None) -> str:
    """Write roubles: `12 500 000 ₽`, kopecks (always two digits) only when there are some, nothing for None."""
    if amount is None:
        return ""
    whole, _, kopecks = f"{amount:,.2f}".partition(".")
    text = whole.replace(",", NARROW).replace("-", "\u2212")
    if kopecks != "00":
        text = f"{text},{kopecks}"
    return f"{text}{NARROW}₽"


def percent_text(value: Decimal | int | None) -> str:
    """Write a percentage: `2,5 %`; nothing for None."""
    return "" if value is None else f"{number_text(value)}{NARROW}%"


def phone_text(digits: str) -> str:
    """Write a phone of digits with country code: `+7 916 123-45-67`; foreign numbers as their country groups them.

    The spaces are plain, because masks travel in the API too; pages keep a number in one line by the class `phone`.
    """
    if _is_russian(digits):
        return f"+7 {digits[1:4]} {digits[4:7]}-{digits[7:9]}-{digits[9:]}"
    return _foreign_text(digits) if digits.isdigit() else digits


def mask_phone(digits: str) -> str:
    """Write a phone with its middle hidden: `+7 916 ***-**-67`."""
    if _is_russian(digits):
        return f"+7 {digits[1:4]} ***-**-{digits[9:]}"
    return _mask_foreign(phone_text(digits))


def day_text(day: date, today: date, language: str = "ru") -> str:
    """Write a day: «вчера», «сегодня», «завтра», «12 мар», and the year when it is another one."""
    language = _known(language)
    near = NEAR_DAYS[language].get((day - today).days)
    if near:
        return near
    text = f"{day.day}{NO_BREAK}{MONTHS[language][day.month - 1]}"
    return text if day.year == today.year else f"{text}{NO_BREAK}{day.year}"


def when_text(moment: datetime, now: datetime, zone: tzinfo, language: str = "ru") -> str:
    """Write a moment in the reader's zone: «сегодня, 14:05», «вчера, 9:10»; further away only the day."""
    local = moment.astimezone(zone)
    today = now.astimezone(zone).date()
    day = day_text(local.date(), today, language)
    if abs((local.date() - today).days) > 1:
        return day
    return f"{day},{NO_BREAK}{local.hour}:{local.minute:02}"


def exact_text(moment: datetime, zone: tzinfo, language: str = "ru") -> str:
    """Write a moment whole, for titles and evidence: «12 мар 2025, 14:05»."""
    local = moment.astimezone(zone)
    month = MONTHS[_known(language)][local.month - 1]
    return f"{local.day}{NO_BREAK}{month}{NO_BREAK}{local.year}, {local.hour}:{local.minute:02}"


def plural(count: int, one: str, few: str, many: str, language: str = "ru") -> str:
    """Choose the form of a word after a count; English uses the first two."""
    if _known(language) == "en":
        return one if count == 1 else few
    tens, units = abs(count) % 100, abs(count) % 10
    if 11 <= tens <= 14 or units == 0 or units >= 5:
        return many
    return one if units == 1 else few


def count_text(count: int, one: str, few: str, many: str, language: str = "ru") -> str:
    """Write a count with its word: «21 сделка», «22 сделки», «25 сделок»."""
    return f"{number_text(count)}{NO_BREAK}{plural(count, one, few, many, language)}"


def days_text(days: int, language: str = "ru") -> str:
    """Write a number of days: «1 день», «2 дня», «5 дней»."""
    return count_text(days, *UNITS[_known(language)]["day"], language=language)


def age_text(age: timedelta, language: str = "ru") -> str:
    """Write how long something has stood: «меньше часа», «3 часа», «12 дней»."""
    language = _known(language)
    if age < timedelta(hours=1):
        return LESS_THAN_AN_HOUR[language]
    if age < timedelta(days=1):
        return count_text(int(age.total_seconds() // 3600), *UNITS[language]["hour"], language=language)
    return days_text(age.days, language)


def _known(language: str) -> str:
    return "en" if language.startswith("en") else "ru"


def _is_russian(digits: str) -> bool:
    return len(digits) == 11 and digits[0] == "7" and digits[1] not in "67" and digits.isdigit()


@lru_cache(maxsize=4096)
def _foreign_text(digits: str) -> str:
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return f"+{digits}"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _mask_foreign(text: str) -> str:
    country, _, rest = text.partition(" ")
    if not rest:  # a number that no country knows is not grouped
        country, rest = text[:2], text[2:]
    digits = sum(char.isdigit() for char in rest)
    last = min(2, max(0, digits - HIDDEN_AT_LEAST))
    first = min(3, max(0, digits - last - HIDDEN_AT_LEAST))
    seen, masked = 0, []
    for char in rest:
        seen += char.isdigit()
        masked.append("*" if char.isdigit() and first < seen <= digits - last else char)
    return f"{country} {''.join(masked)}"
