"""Both languages are whole: no Russian page says a sentence in English, and what is compiled is what was written."""

import re

import polib
import pytest
from django.conf import settings

RUSSIAN = settings.BASE_DIR / "locale" / "ru" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]")


@pytest.fixture(scope="module")
def written() -> polib.POFile:
    return polib.pofile(str(RUSSIAN / "django.po"))


def forms_of(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_sentence_has_its_russian(written: polib.POFile) -> None:
    assert [entry.msgid for entry in written if not all(forms_of(entry)) or entry.fuzzy] == []


def test_russian_plurals_have_all_their_forms(written: polib.POFile) -> None:
    assert {len(entry.msgstr_plural) for entry in written if entry.msgid_plural} == {4}


def test_russian_keeps_every_placeholder(written: polib.POFile) -> None:
    singular = [entry for entry in written if not entry.msgid_plural]
    assert [
        e.msgid for e in singular if sorted(PLACEHOLDER.findall(e.msgid)) != sorted(PLACEHOLDER.findall(e.msgstr))
    ] == []


def test_what_is_compiled_is_what_was_written(written: polib.POFile) -> None:
    compiled = polib.mofile(str(RUSSIAN / "django.mo"))
    assert {(e.msgid, *forms_of(e)) for e in compiled} == {(e.msgid, *forms_of(e)) for e in written}


def test_the_voice_neither_begs_nor_cheers(written: polib.POFile) -> None:
    said = [text for entry in written for text in forms_of(entry)]
    assert [text for text in said if re.search(r"пожалуйста|успешно|!", text, re.IGNORECASE)] == []
