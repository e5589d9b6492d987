"""Types that the API's schemas are built of. Each borrows the plain function that the forms borrow too."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, ClassVar
from uuid import UUID

from ninja import Field, Schema
from pydantic import BeforeValidator, ConfigDict, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from lk_site.errors import InvalidValue
from lk_site.phones import normalize_phone
from lk_site.text import clean_email, clean_line, clean_text

PAGE_DEFAULT, PAGE_AT_MOST = 20, 100  # api.md
MONEY = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?", re.ASCII)
MONEY_SCHEMA = {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,2})?$", "examples": ["12500000.00"]}
PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?", re.ASCII)
PERCENT_SCHEMA = {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,2})?$", "examples": ["2.50"]}
WHOLE = re.compile(r"-?[0-9]{1,9}", re.ASCII)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
DAY = re.compile(r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
DAY_LENGTH = len("2026-11-23")
MOMENT = re.compile(DAY.pattern + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII)


class StrictSchema(Schema):
    """A body in which an unknown field is a refusal, never ignored."""

    model_config = ConfigDict(extra="forbid")


def absent(*examples: Any) -> Any:
    """Return the default of a field that may be left out and, unlike its neighbours, not emptied with `null`."""
    return Field(default_factory=lambda: None, examples=list(examples) or None)


def borrowed(check: Callable[[str], Any]) -> BeforeValidator:
    """Let a schema use a plain check of ours: the refusal keeps its code and sentence."""
    return BeforeValidator(validator(check))


def validator(check: Callable[[str], Any]) -> Callable[[Any], Any]:
    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be a string")
        try:
            return check(value)
        except InvalidValue as refused:
            raise PydanticCustomError(refused.code, "{sentence}", {"sentence": str(refused.message)}) from None

    return validate


def decimal_text(pattern: re.Pattern[str]) -> BeforeValidator:
    """Read a decimal from a string of that pattern: a JSON number would be a binary fraction in many a program."""

    def validate(value: Any) -> Decimal:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise PydanticCustomError("decimal_text", "must be a decimal with at most two places, as a string")
        return Decimal(value)

    return BeforeValidator(validate)


def read_day(value: Any) -> date:
    """Read `YYYY-MM-DD` of the years 1900 to 2199: beyond them a day is a slip, and time zones overflow."""
    if not isinstance(value, str) or not DAY.fullmatch(value):
        raise PydanticCustomError("date_type", "must be a date")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("date_type", "must be a date") from None


def read_moment(value: Any) -> datetime:
    """Read an RFC 3339 time with its zone, of the years 1900 to 2199."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise PydanticCustomError("datetime_type", "must be a time")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("datetime_type", "must be a time") from None


def read_day_or_moment(value: Any) -> date | datetime:
    return read_day(value) if isinstance(value, str) and len(value) == DAY_LENGTH else read_moment(value)


def whole_number(value: Any) -> Any:
    """Let a number of the query be written one way: digits, without the spaces, signs and points that Python reads."""
    if isinstance(value, str) and not WHOLE.fullmatch(value):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


def boolean(value: Any) -> Any:
    """Let a truth of the query be written one way: `true` or `false`."""
    if isinstance(value, str) and value not in ("true", "false"):
        raise PydanticCustomError("bool_type", "must be true or false")
    return value


def canonical_id(value: Any) -> Any:
    """Let an id be written one way: with its hyphens, without brackets and prefixes."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise PydanticCustomError("uuid_type", "must be a UUID")
    return value


def two_places(value: Decimal) -> str:
    return f"{value:.2f}"


def utc_text(value: datetime) -> str:
    """Return RFC 3339 in UTC with `Z`."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Line:
    """Annotates a text of one line with at most `most` characters."""

    most: int
    least: int = 0
    check: ClassVar[Callable[..., str]] = staticmethod(clean_line)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        check = validator(partial(self.check, max_length=self.most))
        inner = core_schema.str_schema(min_length=self.least or None, max_length=self.most)
        return core_schema.no_info_before_validator_function(check, inner)


@dataclass(frozen=True)
class Text(Line):
    """Annotates a text of several lines with at most `most` characters."""

    check: ClassVar[Callable[..., str]] = staticmethod(clean_text)


PHONE_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 40, "examples": ["+7 916 123-45-67", "79161234567"]}
ClientPhoneIn = Annotated[str, borrowed(normalize_phone), WithJsonSchema(PHONE_SCHEMA)]
AgentPhoneIn = Annotated[str, borrowed(partial(normalize_phone, agent=True)), WithJsonSchema(PHONE_SCHEMA)]
EMAIL_SCHEMA = {"type": "string", "maxLength": 254, "examples": ["maria@example.ru"]}
EmailIn = Annotated[str, borrowed(clean_email), WithJsonSchema(EMAIL_SCHEMA)]
MoneyIn = Annotated[Decimal, decimal_text(MONEY), WithJsonSchema(MONEY_SCHEMA)]
PercentIn = Annotated[Decimal, decimal_text(PERCENT), WithJsonSchema(PERCENT_SCHEMA)]
DAY_SCHEMA = {"type": "string", "format": "date", "pattern": f"^{DAY.pattern}$", "examples": ["2026-12-01"]}
TIME_SCHEMA = {"type": "string", "format": "date-time", "examples": ["2026-11-23T09:05:00Z"]}
MOMENT_SCHEMA = {**TIME_SCHEMA, "pattern": f"^{MOMENT.pattern}$"}
DayIn = Annotated[date, BeforeValidator(read_day), WithJsonSchema(DAY_SCHEMA)]
MomentIn = Annotated[datetime, BeforeValidator(read_moment), WithJsonSchema(MOMENT_SCHEMA)]
DayOrMomentIn = Annotated[
    Any, BeforeValidator(read_day_or_moment), WithJsonSchema({"anyOf": [DAY_SCHEMA, MOMENT_SCHEMA]})
]
BooleanIn = Annotated[bool, BeforeValidator(boolean)]
IdIn = Annotated[UUID, BeforeValidator(canonical_id)]
MoneyOut = Annotated[Decimal, PlainSerializer(two_places, return_type=str), WithJsonSchema(MONEY_SCHEMA)]
PercentOut = Annotated[Decimal, PlainSerializer(two_places, return_type=str), WithJsonSchema(PERCENT_SCHEMA)]
TimeOut = Annotated[datetime, PlainSerializer(utc_text, return_type=str), WithJsonSchema(TIME_SCHEMA)]


class PageQuery(Schema):
    """Which page of a list, and how long it is."""

    limit: Annotated[int, BeforeValidator(whole_number)] = Field(
        PAGE_DEFAULT, ge=1, le=PAGE_AT_MOST, description="Rows of a page."
    )
    cursor: str | None = Field(None, description="`next_cursor` of the page before, with the same other parameters.")
