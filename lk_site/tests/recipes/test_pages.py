"""What is true of every page that strangers read: its links lead somewhere, and its programs are small."""

import re
from pathlib import Path

import pytest

from lk_site.tests.recipes.pages import ROOT, Page

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "clients/python/README.md"]
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)]+))?\)")
LINES_AT_MOST = 101


def anchors(text: str) -> set[str]:
    """Return the names by which a page's headings are linked to."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_that_are_there(page: Path):
    for name, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{name} is not there"
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{name} has no #{anchor}"


def test_every_recipe_stands_in_the_index():
    recipes = {path.name for path in (ROOT / "docs/recipes").glob("*.md")} - {"README.md"}
    index = (ROOT / "docs/recipes/README.md").read_text(encoding="utf-8")
    assert recipes == {name for name, _ in LINK.findall(index) if "/" not in name}


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_programs_of_pages_are_python_that_is_read_in_a_minute(path: Path):
    for name, text in Page(str(path.relative_to(ROOT / "docs"))).blocks.items():
        if name.endswith(".py"):
            compile(text, name, "exec")
            lines = text.splitlines()
            assert len(lines) <= LINES_AT_MOST
            assert max(map(len, lines)) <= 120
