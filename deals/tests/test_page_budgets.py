"""What a phone fetches to show a page for the first time: how many files, and how many bytes on the wire."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import User
from deals.tests.browsing import browser_of
from deals.tests.making import make_deal

pytestmark = pytest.mark.django_db

STATIC = re.compile(r'(?:src|href)="/static/([^"?#]+)')
BUDGETS = {
    "login": (7, 78),
    "list": (6, 96),
    "card": (11, 115),
}  # files beside the page, KB of everything: see `bench.pages`


def files_of(page: str) -> Iterator[Path]:
    """Yield the files that a page names, each once, as they are sent: compressed where that is smaller."""
    for name in sorted(set(STATIC.findall(page))):
        plain = settings.STATIC_ROOT / name
        packed = plain.with_name(f"{plain.name}.gz")
        yield packed if packed.exists() else plain


@pytest.mark.parametrize("name", BUDGETS)
def test_a_page_fits_its_budget_of_files_and_bytes(anna: User, name: str) -> None:
    deals = [make_deal(anna, f"7916{i:07}", client_name="Мария") for i in range(20)]
    addresses = {
        "login": reverse("accounts:login"),
        "list": reverse("deals:deal_list"),
        "card": reverse("deals:deal_detail", args=[deals[0].pk]),
    }
    browser = Browser() if name == "login" else browser_of(anna)
    answer = browser.get(addresses[name])
    files = list(files_of(answer.content.decode()))
    most_files, most_kb = BUDGETS[name]
    assert len(files) <= most_files
    assert len(answer.content) + sum(file.stat().st_size for file in files) <= most_kb * 1024
