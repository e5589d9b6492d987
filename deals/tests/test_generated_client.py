"""A client that a public generator makes of the document we serve works against the server that serves it."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.models import User
from accounts.tests.programs import make_key
from deals.tests.making import make_deal

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "lk_generated"


@pytest.fixture(scope="module")
def generated(live_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make the client of the served document, once; any warning of the generator is a failure."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(httpx.get(f"{live_server.url}/api/v1/openapi.json").content)
    (folder / "config.yml").write_text("post_hooks: []\n", encoding="utf-8")
    generator = Path(sys.executable).with_name("openapi-python-client")
    paths = {"--path": "openapi.json", "--config": "config.yml", "--output-path": NAME}
    made_of = [part for option, name in paths.items() for part in (option, str(folder / name))]
    command = [str(generator), "generate", "--meta", "none", "--fail-on-warning", *made_of]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    sys.path.insert(0, str(folder))
    yield folder / NAME
    sys.path.remove(str(folder))
    for module in [module for module in sys.modules if module.partition(".")[0] == NAME]:
        del sys.modules[module]


class Made:
    """The made client, with the key of a head's program."""

    def __init__(self, base: str, token: str) -> None:
        self.models = import_module(f"{NAME}.models")
        kind = import_module(f"{NAME}.client").AuthenticatedClient
        self.client = kind(base_url=base, token=token, raise_on_unexpected_status=True)

    def ask(self, operation: str, *path: Any, **arguments: Any) -> Any:
        """Call an operation by its tag and name; return status, headers and what the answer was read as."""
        function = import_module(f"{NAME}.api.{operation}").sync_detailed
        return function(*path, client=self.client, **arguments)


@pytest.fixture
def made(generated: Path, live_server: Any, vera: User) -> Iterator[Made]:
    asker = Made(live_server.url, make_key(vera).token)
    with asker.client:
        yield asker


def deal_in(made: Made, agent: User) -> Any:
    return made.models.DealIn(
        agent=agent.pk, client_phone="+7 916 123-45-67", property_address="Москва, Тверская ул., 12", price="12500000"
    )


def test_it_lists_deals_and_follows_pages(made: Made, anna: User) -> None:
    numbers = [make_deal(anna).number for _ in range(3)]
    first = made.ask("deals.list_deals", limit=2)
    assert isinstance(first.parsed, made.models.DealPage)
    rest = made.ask("deals.list_deals", limit=2, cursor=first.parsed.next_cursor)
    assert [deal.number for page in (first, rest) for deal in page.parsed.items] == numbers[::-1]
    assert first.headers["RateLimit"].startswith('"key"'), "and a list without a text is no search"


def test_it_creates_a_deal_once(made: Made, anna: User) -> None:
    answers = [made.ask("deals.create_deal", body=deal_in(made, anna), idempotency_key="one") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert isinstance(answers[0].parsed, made.models.DealOut)
    assert answers[0].parsed.id == answers[1].parsed.id
    assert answers[0].parsed.agent.id == anna.pk


def test_what_it_does_not_say_stays(made: Made, anna: User) -> None:
    deal = make_deal(anna, notes="Ключи у соседа")
    patch = made.models.DealPatch(price="11900000.00")
    edited = made.ask("deals.edit_deal", deal.pk, body=patch, if_match='"1"').parsed
    assert (edited.price, edited.notes, edited.version) == ("11900000.00", "Ключи у соседа", 2)


def test_it_reads_a_conflict(made: Made, anna: User) -> None:
    deal = make_deal(anna)
    patch = made.models.DealPatch(price="11900000.00")
    made.ask("deals.edit_deal", deal.pk, body=patch, if_match='"1"')
    refused = made.ask("deals.edit_deal", deal.pk, body=patch, if_match='"1"')
    assert refused.status_code == 412
    assert isinstance(refused.parsed, made.models.Problem)
    assert (refused.parsed.code, refused.parsed.current_version) == ("stale", 2)
    assert refused.parsed.changed_fields == ["price"]


def test_it_reads_which_field_is_wrong(made: Made, anna: User) -> None:
    body = deal_in(made, anna)
    body.price = "0"
    refused = made.ask("deals.create_deal", body=body)
    assert (refused.status_code, refused.parsed.errors[0].pointer) == (422, "/price")


def test_a_wrong_key_is_a_refusal_that_it_reads(made: Made, live_server: Any) -> None:
    wrong = Made(live_server.url, "lk_live_wrong")
    with wrong.client:
        refused = wrong.ask("deals.list_deals")
    assert (refused.status_code, refused.parsed.code) == (401, "not_authenticated")


def test_it_does_many_things_at_once(made: Made, anna: User) -> None:
    item = made.models.AddNote(do="add_note", id=make_deal(anna).pk, text="Звонил")
    result = made.ask("bulk.bulk_deals", body=made.models.DealBulkIn(items=[item]))
    assert isinstance(result.parsed, made.models.BulkOut)
    assert [row.status for row in result.parsed.items] == [201]


def test_it_follows_the_feed(made: Made, anna: User) -> None:
    cursor = made.ask("changes.list_changes").parsed.next_cursor
    deal = make_deal(anna)
    changes = made.ask("changes.list_changes", cursor=cursor).parsed
    assert deal.pk in [change.object_.id for change in changes.items]
