"""What a person types into the search box: a deal's number, a phone, its last four digits, or words."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.models import Action
from accounts.services.unit_of_work import record, unit_of_work
from deals.models import ClientPhone, ClientToken
from lk_site.encryption import blind_index, encrypted_field, last4_tokens, open_cell, word_tokens
from lk_site.encryption.tokens import PREFIX_AT_LEAST
from lk_site.errors import DomainError, FieldError, InvalidValue
from lk_site.phones import normalize_phone
from lk_site.text import fold, words

NUMBER = re.compile(r"[#№]\s*(\d{1,9})", re.ASCII)
DIAL = re.compile(r"\+?[\d\s()./‐-―-]+")
ClientIds = QuerySet[Any, UUID]
PHONE_DIGITS, LAST_DIGITS = (10, 11), 4  # api.md; ten are a Russian number without its 8


class QueryTooShort(DomainError):
    """One or two letters are in every address: they are looked for only beside a longer word."""

    code = "q_too_short"
    sentence = _("Type at least three letters of a word.")
    facts = {"errors": [{"pointer": "?q", "code": code, "message": "Type at least three letters of a word."}]}

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("?q", self.code, self.sentence)])


@dataclass(frozen=True, slots=True)
class Query:
    """A search, understood: at most one of the four is set, none for an empty text."""

    number: int | None = None
    phone: str = ""
    last_digits: str = ""
    terms: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Query()


def understood(text: str) -> Query:
    """Return what a text asks for. Raises QueryTooShort for words of one or two characters only."""
    text = text.strip()
    if named := NUMBER.fullmatch(text):
        return Query(number=int(named[1]))
    if DIAL.fullmatch(text):
        digits = "".join(str(int(char)) for char in text if char.isdecimal())
        if len(digits) == LAST_DIGITS:
            return Query(last_digits=digits)
        if phone := phone_of(text, digits):
            return Query(phone=phone)
    terms = tuple(dict.fromkeys(fold(text).split()))
    if terms and max(map(len, terms)) < PREFIX_AT_LEAST:
        raise QueryTooShort
    return Query(terms=terms)


def phone_of(text: str, digits: str) -> str:
    """Return the number that a text of ten or eleven digits is, or of any count after a plus; nothing if it is none."""
    if len(digits) not in PHONE_DIGITS and not text.startswith("+"):
        return ""
    try:
        return normalize_phone(text)
    except InvalidValue:
        return ""


def clients_with(phones: Iterable[str], actor: Actor) -> ClientIds:
    """Return the ids of clients who have one of these numbers (digits with country code)."""
    assert actor.agency_id is not None
    return ids_of(ClientPhone.objects.visible_to(actor).with_numbers(actor.agency_id, phones))


def clients_ending_in(digits: str, agency_id: UUID) -> ClientIds:
    """Return the ids of candidates for "a number of the client ends so"."""
    return ids_of(ClientToken.objects.filter(agency_id=agency_id, token__in=last4_tokens(agency_id, digits)))


def clients_named(term: str, agency_id: UUID) -> ClientIds | None:
    """Return the ids of candidates for "a word of the client's name begins so", None for a term too short to say."""
    long_part = max(words(term), key=len, default="")
    if len(long_part) < PREFIX_AT_LEAST:
        return None
    return ids_of(ClientToken.objects.filter(agency_id=agency_id, token__in=word_tokens(agency_id, long_part)))


def ids_of(rows: QuerySet[Any]) -> ClientIds:
    return rows.order_by().values_list("client_id", flat=True)


def numbers_of(client_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Return the numbers of each client, the main one first, in one statement."""
    field, numbers = encrypted_field(ClientPhone, "phone"), defaultdict[UUID, list[str]](list)
    rows = ClientPhone.objects.filter(client_id__in=set(client_ids)).order_by("client_id", "position")
    for phone_id, client_id, cell in rows.cells("id", "client_id", "phone"):
        numbers[client_id].append(open_cell(cell, field, phone_id))
    return numbers


def begins_in(name: str, term: str) -> bool:
    """Tell whether a word of the name begins as the term does, or words as each of its parts do."""
    named, parts = words(name), words(term)
    return bool(parts) and all(any(word.startswith(part) for word in named) for part in parts)


@unit_of_work
def record_search(phones: Iterable[str], *, actor: Actor) -> None:
    """Leave evidence that somebody looked for full numbers: keyed digests, comparable and not to be read."""
    assert actor.agency_id is not None
    for phone in phones:
        digest = blind_index("digests", "client.searched", actor.agency_id, phone)
        record(actor, Action.CLIENT_SEARCHED, digest=digest.hex())
