"""What every page leans on: fields, messages, icons, and files that are what they say."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from django import forms
from django.contrib.messages.storage.fallback import FallbackStorage
from django.test import RequestFactory

from lk_site.flashes import flash, read_flashes
from lk_site.forms import CodeInput, FormRenderer, MoneyInput, show_conflict
from lk_site.templatetags.lk import ICONS, icon

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if "admin" not in path.parts)
FIRST_PAGE_BUDGET = 35 * 1024  # performance.md, the aim


class PriceForm(forms.Form):
    default_renderer = FormRenderer
    price = forms.DecimalField(label="Price", widget=MoneyInput, help_text="In roubles.")
    code = forms.CharField(label="Code", widget=CodeInput, required=False)


def test_a_field_names_its_error_and_its_hint_for_a_screen_reader() -> None:
    drawn = PriceForm({"price": "twelve"})["price"].as_field_group()
    described = re.search(r'aria-describedby="([^"]+)"', drawn)
    assert described is not None
    for name in described[1].split():
        assert f'id="{name}"' in drawn
    assert 'aria-invalid="true"' in drawn
    assert 'value="twelve"' in drawn


def test_a_field_that_may_stay_empty_says_so() -> None:
    form = PriceForm()
    assert 'class="optional"' in form["code"].as_field_group()
    assert 'class="optional"' not in form["price"].as_field_group()


def test_a_conflict_shows_both_values_and_loses_neither() -> None:
    form = PriceForm({"price": "12300000"})
    show_conflict(form, "price", theirs="12 500 000 ₽", value="12500000", by="<Boris>")
    drawn = form["price"].as_field_group()
    assert 'value="12300000"' in drawn
    assert "12 500 000 ₽" in drawn
    assert 'data-value="12500000"' in drawn
    assert "&lt;Boris&gt;" in drawn


def test_a_flash_carries_its_undo_to_the_next_page(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    flash(request, "Moved.", undo_url="/undo/", undo_version=4)
    flash(request, "Saved.")
    moved, saved = read_flashes(request)
    assert (moved.text, moved.undo_url, moved.undo_version) == ("Moved.", "/undo/", 4)
    assert (saved.text, saved.undo_url) == ("Saved.", "")


def test_an_icon_is_drawn_inline_and_hidden_from_screen_readers() -> None:
    drawn = icon("phone")
    assert drawn.startswith('<svg class="icon" aria-hidden="true"')
    assert drawn.count("<svg") == 1
    assert "license" not in drawn


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_holds_structure_and_no_style_or_script(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|<script(?![^>]*\bsrc=)", text)
    for name in re.findall(r'{% icon "([^"]+)" %}', text):
        assert (ICONS / f"{name}.svg").exists(), name


@pytest.mark.parametrize(
    "folder", [ROOT / "static" / "vendor", ROOT / "lk_site" / "tests" / "axe"], ids=["static", "axe"]
)
def test_vendored_files_are_what_the_list_says(folder: Path) -> None:
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    listed = {line[66:]: line[:64] for line in lines if re.match(r"[0-9a-f]{64}  ", line)}
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert found == listed


def test_the_dark_theme_is_the_same_whoever_chose_it() -> None:
    style = (ROOT / "static" / "css" / "app.css").read_text(encoding="utf-8")
    wished, chosen = re.findall(r'data-theme="(?:light|dark)"\]\)? \{\s*(color-scheme: dark;[^}]*)\}', style)
    assert wished.split() == chosen.split()


def test_style_and_scripts_of_any_page_fit_the_budget() -> None:
    files = [ROOT / "static" / "css" / "app.css", *(ROOT / "static" / "js").glob("*.js")]
    files.remove(ROOT / "static" / "js" / "api_try.js")  # of a page that has none of the others
    files.append(ROOT / "static" / "vendor" / "htmx" / "htmx.min.js")
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= FIRST_PAGE_BUDGET
