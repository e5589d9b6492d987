"""Values that stand nowhere else, and every spelling in which they could be found again."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

LETTERS = "абвгдежзиклмнопрстуфхцчшэюя"
LOOSE = r"\D{0,3}"  # what people write between digits
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1251", "koi8-r")


@dataclass
class Marks:
    """What a test has typed somewhere: phones as digits, and words. Each is made anew for each run."""

    phones: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)

    def phone(self, what: str) -> str:
        """Return the digits of a new mobile, known from now on under this name."""
        return self.phones.setdefault(what, f"79{secrets.randbelow(10**9):09}")

    def word(self, what: str) -> str:
        """Return a new word of Russian letters, known from now on under this name."""
        letters = "".join(secrets.choice(LETTERS) for _ in range(12)).capitalize()
        return self.words.setdefault(what, letters)

    def email(self, what: str) -> str:
        return self.words.setdefault(what, f"mark{secrets.token_hex(6)}") + "@example.ru"

    def found_in(self, text: str) -> set[str]:
        """Return what of all this stands in a text, in any spelling."""
        low = text.casefold()
        return {what for what, pattern in self.patterns() if pattern in low} | {
            what for what, phone in self.phones.items() if as_people_write(phone).search(text)
        }

    def found_in_bytes(self, data: bytes) -> set[str]:
        return {what for what, pattern in self.raw_patterns() if pattern in data}

    def patterns(self) -> Iterator[tuple[str, str]]:
        """Yield what a text may hold of a value: itself, escaped, its bytes in hex and base64, a hash without a key."""
        for what, value in {**self.words, **self.phones}.items():
            yield what, value.casefold()
            yield what, quote(value).casefold()
            yield what, json.dumps(value).strip('"').casefold()
            for spelling in (value, value.casefold(), value.upper()):
                for raw in encoded(spelling):
                    yield what, raw.hex()
                    yield from ((what, part.casefold()) for part in in_base64(raw))
        for what, value in spellings(self.phones):
            for name in ("md5", "sha1", "sha256"):
                made = hashlib.new(name, value.encode(), usedforsecurity=False).digest()
                yield what, made.hex()
                yield what, base64.b64encode(made)[:20].decode().casefold()

    def raw_patterns(self) -> Iterator[tuple[str, bytes]]:
        for what, value in {**self.words, **self.phones}.items():
            for spelling in (value, value.casefold(), value.upper()):
                for raw in encoded(spelling):
                    yield what, raw
        for what, value in spellings(self.phones):
            yield what, value.encode()
            for name in ("md5", "sha1", "sha256"):
                yield what, hashlib.new(name, value.encode(), usedforsecurity=False).digest()


def spellings(phones: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each phone as people and programs write it."""
    for what, digits in phones.items():
        ten = digits[1:]
        yield what, digits
        yield what, f"+{digits}"
        yield what, f"8{ten}"
        yield what, ten
        yield what, f"+7 {ten[:3]} {ten[3:6]}-{ten[6:8]}-{ten[8:]}"
        yield what, f"8 ({ten[:3]}) {ten[3:6]}-{ten[6:8]}-{ten[8:]}"


def as_people_write(phone: str) -> re.Pattern[str]:
    return re.compile(LOOSE.join(phone[1:]))


def encoded(text: str) -> list[bytes]:
    return [text.encode(encoding) for encoding in ENCODINGS]


def in_base64(raw: bytes) -> list[str]:
    """Return the part of the base64 of these bytes that is the same wherever in a longer text they begin."""
    return [base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")[4:-2] for shift in range(3)]
