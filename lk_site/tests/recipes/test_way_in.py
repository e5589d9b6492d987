"""The written way in: the stories by curl of the README and of `docs/`, told to the live server word for word."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.services.keys import is_well_formed, new_token
from accounts.tests.programs import make_key
from deals.models import Deal
from lk_site.tests.recipes.pages import Page, Stranger

ADDRESS = "http://127.0.0.1:8000"
OTHER_THAN_SENT = "lk_live_…"


def database_url() -> str:
    """Return the address of the database of this test, for programs of LK that a story starts."""
    told = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{told['NAME']}"
    user = f"{told['USER']}:{told['PASSWORD']}" if told["PASSWORD"] else told["USER"]
    return f"postgres://{user}@{told['HOST']}:{told['PORT']}/{told['NAME']}"


def documents(output: str) -> list[dict[str, Any]]:
    """Return the JSON documents that a story prints, one a line."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@pytest.fixture
def owner(checkout: Path, live_server: Any, worker: None) -> Callable[[str], Stranger]:
    """Return a function that gives a page to who runs LK on his own machine, with its demo data."""
    call_command("demo", verbosity=0)
    own = {name: value for name, value in os.environ.items() if name.startswith(("LK_", "DJANGO_", "HOST"))}
    return lambda path: Stranger(Page(path), checkout, {**own, "DATABASE_URL": database_url()})


def told(owner: Stranger, live_server: Any) -> list[dict[str, Any]]:
    ended = owner.bash("story", {ADDRESS: live_server.url})
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    return documents(ended.stdout)


def test_the_story_of_the_readme(owner, live_server):
    answers = told(owner("../README.md"), live_server)
    assert [answer["code"] for answer in answers if "code" in answer and "status" in answer] == ["stale"]
    deal = Deal.objects.get(property_address="Москва, Лесная улица, дом 5")
    assert (deal.stage.code, int(deal.price), deal.version) == ("showing", 12_300_000, 3)
    timeline = next(answer["items"] for answer in answers if "action" in answer.get("items", [{}])[0])
    assert [entry["action"] for entry in timeline] == ["note.added", "deal.moved", "deal.created"]


def test_the_story_of_the_first_key(owner, live_server):
    answers = told(owner("keys.md"), live_server)
    asked = [answer["name"] for answer in answers if "agency" in answer and "scopes" in answer]
    assert asked == ["Сайт", "Сайт"]
    deeds = next(answer["items"] for answer in answers if "items" in answer)
    assert [deed["action"] for deed in deeds] == ["key.used"]
    assert (answers[-1]["status"], answers[-1]["code"]) == (401, "not_authenticated")


def test_the_first_calls_of_a_program(stranger, live_server, vera, tmp_path):
    key = make_key(vera).token
    program = Stranger(Page("../README.md"), tmp_path, {})
    ended = program.bash("programs", {ADDRESS: live_server.url, OTHER_THAN_SENT: key})
    assert ended.returncode == 0, ended.stderr
    own, deals, bulk, operation = documents(ended.stdout)
    assert own["name"] == "Бухгалтерия"
    assert deals["items"] == []
    assert [item["status"] for item in bulk["items"]] == [201, 201]
    assert (bulk["committed"], Deal.objects.count()) == (False, 0)
    assert (operation["name"], operation["state"]) == ("deals.bulk", "queued")  # no worker runs here


def test_the_story_of_the_feed(stranger, vera):
    reader = stranger("changes.md")
    reader.environment["LK_KEY"] = make_key(vera, [*reader.page.scopes, "deals:write"]).token
    ended = reader.bash("story")
    assert ended.returncode == 0, ended.stderr
    *_, created, changes = documents(ended.stdout)
    assert [change["type"] for change in changes["items"]] == ["client.created", "deal.created"]
    assert changes["items"][1]["data"]["number"] == created["number"]


def test_a_key_is_told_from_an_accident_without_asking_anybody(tmp_path):
    scanner = Stranger(Page("keys.md"), tmp_path, {})
    real = new_token()
    assert is_well_formed(real)
    for text, status in ((real, 0), (real[:-1] + ("a" if real[-1] != "a" else "b"), 1), (real[:-1], 1), ("sk_live", 1)):
        assert scanner.types(f"python check.py {text}").returncode == status
