"""What others know of addresses and companies, behind two small interfaces: DaData, or nothing.

Nobody waits long for an answer, and where there is none the work goes on without: the form's field is a plain one.
"""

import json
import logging
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.ru import inn as inn_rules

from lk_site.errors import DomainError, InvalidValue
from lk_site.outgoing import Answer, NoAnswer, post
from lk_site.text import clean_line

log = logging.getLogger("lk.lookups")

TIMEOUT_S = 2.0  # a person who types has written on by then
ANSWER_BYTES_AT_MOST = 256 * 1024  # a large company with all its branches and licences takes a hundred
SUGGESTED_AT_MOST = 7
ASKED_AT_ONCE = 2  # of the four threads of a web process: a service that hangs never holds the others
ADDRESS_AT_MOST, NAME_AT_MOST, CODE_AT_MOST = 300, 1000, 40  # characters; an address is as long as a deal takes one


class LookupsOff(DomainError):
    """Nobody is asked: settings name no service."""

    code = "lookups_off"
    status = 404
    sentence = _("Look-ups are switched off here.")


class LookupFailed(DomainError):
    """The service did not answer, or not with what it is for."""

    code = "lookup_failed"
    status = 424
    sentence = _("The register of companies does not answer now. Try again later.")


class CompanyUnknown(DomainError):
    """The register has no such company."""

    code = "company_unknown"
    status = 404
    sentence = _("There is no company with this INN. Check the digits.")


class CompanyStatus(StrEnum):
    ACTIVE = "active"
    LIQUIDATING = "liquidating"
    LIQUIDATED = "liquidated"
    BANKRUPT = "bankrupt"
    REORGANIZING = "reorganizing"  # being merged into another


@dataclass(frozen=True, slots=True)
class SuggestedAddress:
    """An address as people write it, with its id in ФИАС, the state's register of addresses, where it has one."""

    value: str
    fias_id: str | None
    postal_code: str | None


@dataclass(frozen=True, slots=True)
class Company:
    """A company or an entrepreneur, as the state's register has it. Entrepreneurs have no `kpp` and no `address`."""

    inn: str
    name: str
    full_name: str | None
    kpp: str | None
    ogrn: str | None
    address: str | None
    status: CompanyStatus | None


class AddressSuggestions(Protocol):
    def suggest(self, text: str) -> list[SuggestedAddress]:
        """Return what the text may become, the likeliest first, and nothing while nobody answers. Raises LookupsOff."""
        ...


class CompanyFinder(Protocol):
    def find(self, inn: str) -> Company:
        """Return the company with this INN. Raises CompanyUnknown, LookupFailed, LookupsOff."""
        ...


class Nothing:
    """Knows nothing and asks nobody: look-ups are off."""

    def suggest(self, text: str) -> list[SuggestedAddress]:
        raise LookupsOff

    def find(self, inn: str) -> Company:
        raise LookupsOff


class DaData:
    """DaData over HTTP: `suggest/address` and `findById/party`."""

    PATH = "/suggestions/api/4_1/rs"
    places = threading.BoundedSemaphore(ASKED_AT_ONCE)

    def __init__(self, url: str, key: str, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/") + self.PATH
        self.key = key
        self.timeout_s = timeout_s

    def suggest(self, text: str) -> list[SuggestedAddress]:
        try:
            told = self._ask("/suggest/address", query=text, count=SUGGESTED_AT_MOST)
        except NoAnswer:
            return []
        return [found for part in told if (found := address_in(part))][:SUGGESTED_AT_MOST]

    def find(self, inn: str) -> Company:
        try:
            told = self._ask("/findById/party", query=inn, branch_type="MAIN", count=1)
        except NoAnswer:
            raise LookupFailed from None
        if not told:
            raise CompanyUnknown
        found = company_in(told[0])
        if found is None or found.inn != inn:
            raise LookupFailed
        return found

    def _ask(self, method: str, **asked: str | int) -> list[dict[str, Any]]:
        """Return the suggestions of an answer. Raises NoAnswer; the log says why, never what was asked."""
        try:
            with self._a_place():
                answer = self._exchange(method, json.dumps(asked).encode())
            return list(suggestions_in(answer.json_object()))
        except NoAnswer as error:
            log.warning("DaData does not answer", extra={"method": method, "why": str(error)})
            raise

    @contextmanager
    def _a_place(self) -> Iterator[None]:
        """Take one of the few places of those who wait. Raises NoAnswer while all are taken."""
        if not self.places.acquire(blocking=False):
            raise NoAnswer("too many wait for it")
        try:
            yield
        finally:
            self.places.release()

    def _exchange(self, method: str, body: bytes) -> Answer:
        """Return an answer of status 200. Raises NoAnswer."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Authorization": f"Token {self.key}",
        }
        bounds: dict[str, Any] = {"timeout_s": self.timeout_s, "bytes_at_most": ANSWER_BYTES_AT_MOST}
        answer = post(self.url + method, body, headers, **bounds)
        if answer.status != 200:  # 401 and 403: the key or its day's allowance; 429: too many a second
            raise NoAnswer(f"status {answer.status}")
        return answer


def suggestions_in(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the suggestions that an answer holds. Raises NoAnswer where it is none."""
    parts = told.get("suggestions")
    if not isinstance(parts, list):
        raise NoAnswer("no suggestions inside")
    yield from (part for part in parts if isinstance(part, dict))


def address_in(part: dict[str, Any]) -> SuggestedAddress | None:
    """Return the address of a suggestion, or None for one that the field of a deal would not take."""
    value, data = line(part.get("value"), ADDRESS_AT_MOST), members(part, "data")
    if value is None:
        return None
    return SuggestedAddress(value, line(data.get("fias_id")), line(data.get("postal_code")))


def company_in(part: dict[str, Any]) -> Company | None:
    """Return the company of a suggestion, or None for one without INN or name."""
    data = members(part, "data")
    names, inn = members(data, "name"), line(data.get("inn"))
    short, full = (line(names.get(name), NAME_AT_MOST) for name in ("short_with_opf", "full_with_opf"))
    name = short or full or line(part.get("value"), NAME_AT_MOST)
    if inn is None or name is None:
        return None
    return Company(
        inn=inn,
        name=name,
        full_name=full,
        kpp=line(data.get("kpp")),
        ogrn=line(data.get("ogrn")),
        address=line(members(data, "address").get("value"), NAME_AT_MOST),
        status=status_in(members(data, "state").get("status")),
    )


def status_in(told: Any) -> CompanyStatus | None:
    """Return the status that we have a word for."""
    code = told.lower() if isinstance(told, str) else ""
    return CompanyStatus(code) if code in list(CompanyStatus) else None


def members(part: dict[str, Any], name: str) -> dict[str, Any]:
    inner = part.get(name)
    return inner if isinstance(inner, dict) else {}


def line(value: Any, most: int = CODE_AT_MOST) -> str | None:
    """Return one line of text that we would take from a person too, or None."""
    try:
        return clean_line(value, most) or None if isinstance(value, str) else None
    except InvalidValue:
        return None


def clean_inn(value: str) -> str:
    """Return the ten digits of a company's INN or the twelve of a person's.

    Raises InvalidValue: `inn_length`, `inn_invalid`.
    """
    digits = "".join(unicodedata.normalize("NFKC", value).split())
    try:
        return inn_rules.validate(digits)
    except InvalidChecksum:
        raise InvalidValue("inn_invalid", _("The digits of this INN do not fit together. Check them.")) from None
    except ValidationError:
        raise InvalidValue("inn_length", _("An INN has 10 or 12 digits.")) from None


def are_on() -> bool:
    """Return whether settings name a service."""
    return bool(settings.DADATA_KEY)


def address_suggestions() -> AddressSuggestions:
    return DaData(settings.DADATA_URL, settings.DADATA_KEY) if are_on() else Nothing()


def company_finder() -> CompanyFinder:
    return DaData(settings.DADATA_URL, settings.DADATA_KEY) if are_on() else Nothing()
