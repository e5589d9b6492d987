"""docs/recipes/warehouse.md, run as a stranger runs it: whatever happens meanwhile, the copy ends exact."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from accounts.tests.people import make_staff
from deals.services import trash
from deals.services.clients import edit_client
from deals.services.deals import edit_deal, trash_deal
from deals.services.pipeline import move_deal
from deals.tests.making import OTHER_PHONE, by, make_client, make_deal
from deals.tests.programs import Program as Api
from deals.tests.test_storm import Someone
from lk_site.tests.recipes.pages import Stranger

WRITERS, ACTS = 4, 15


@pytest.fixture
def warehouse(stranger: Callable[..., Stranger]) -> Stranger:
    return stranger("recipes/warehouse.md")


def catch_up(warehouse: Stranger) -> str:
    ended = warehouse.bash("once")
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def read(warehouse: Stranger, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(warehouse.folder / "warehouse.sqlite3")) as base:
        return base.execute(statement).fetchall()


def walked(api: Api, path: str, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(path, {**query, "limit": "100", **cursor}).json()
        rows += page["items"]
        if page["next_cursor"] is None:
            return rows
        cursor = {"cursor": page["next_cursor"]}


def assert_is_exact(warehouse: Stranger, head: Any) -> None:
    """Compare every view with what the lists show, names and masks that stand on deals included."""
    api = Api(head, language="ru")
    deals = [deal for trashed in ("false", "true") for deal in walked(api, "/deals/", trashed=trashed)]
    clients = [client for trashed in ("false", "true") for client in walked(api, "/clients/", trashed=trashed)]
    assert sorted(read(warehouse, DEALS)) == sorted(map(deal_row, deals))
    assert sorted(read(warehouse, CLIENTS)) == sorted(map(client_row, clients))
    agents = [(agent["id"], agent["name"], agent["role"], agent["active"]) for agent in walked(api, "/agents")]
    assert sorted(read(warehouse, "SELECT id, name, role, active FROM agent")) == sorted(agents)
    told = api.get("/pipelines").json()["items"]
    stages = [(one["kind"], each["code"], each["name"], each["kind"]) for one in told for each in one["stages"]]
    assert sorted(read(warehouse, "SELECT deal_kind, code, name, kind FROM stage")) == sorted(stages)


DEALS = """
SELECT deal.id, number, deal.client, client.name, client.phone_masked, property_address, price, deal.kind, stage,
       stage.name, status, coalesce(lost_reason, ''), deal.agent, agent.name, coalesce(next_step, ''), deal.version,
       deal.updated_at, coalesce(deal.deleted_at, '')
FROM deal LEFT JOIN client ON client.id = deal.client LEFT JOIN agent ON agent.id = deal.agent
          LEFT JOIN stage ON stage.code = deal.stage AND stage.deal_kind = deal.kind
"""
CLIENTS = (
    "SELECT id, coalesce(name, ''), phone_masked, agent, version, updated_at, coalesce(deleted_at, '') FROM client"
)


def deal_row(deal: dict[str, Any]) -> tuple[Any, ...]:
    return (
        *(deal[name] for name in ("id", "number", "client", "client_name", "client_phone_masked", "property_address")),
        *(float(Decimal(deal["price"])), deal["kind"], deal["stage"]["code"], deal["stage"]["name"], deal["status"]),
        *((deal["lost_reason"] or {}).get("code", ""), deal["agent"]["id"], deal["agent"]["name"]),
        *((deal["next_step"] or {}).get("text", ""), deal["version"], deal["updated_at"], deal["deleted_at"] or ""),
    )


def client_row(client: dict[str, Any]) -> tuple[Any, ...]:
    return (
        *(client["id"], client["name"] or "", client["phones_masked"][0], client["agent"]["id"], client["version"]),
        *(client["updated_at"], client["deleted_at"] or ""),
    )


def test_a_copy_has_what_was_there_and_follows_what_changes(warehouse, vera, anna):
    deal = make_deal(anna, client_name="Мария", price=Decimal("999999999999.99"))
    gone = make_deal(vera, OTHER_PHONE, client_name="Пётр")
    assert catch_up(warehouse) == "copied\n"
    assert_is_exact(warehouse, vera)

    edit_deal(deal.pk, {"price": Decimal("11000000.50")}, actor=by(anna), version=1)
    move_deal(deal.pk, "showing", actor=by(anna), version=2)
    edit_client(deal.client_id, {"name": "Мария Петрова"}, actor=by(anna), version=deal.client.version)
    trash_deal(gone.pk, actor=by(vera), version=1)
    assert catch_up(warehouse) == ""
    assert_is_exact(warehouse, vera)

    trash.purge(timezone.now() + timedelta(days=31))
    make_client(anna, "79031112233", name="Новая")
    catch_up(warehouse)
    assert_is_exact(warehouse, vera)
    assert read(warehouse, "SELECT id FROM deal") == [(str(deal.pk),)]


def test_the_question_of_the_page_is_answered(warehouse, anna):
    make_deal(anna, price=Decimal("12500000.00"))
    make_deal(anna, price=Decimal("7500000.50"))
    catch_up(warehouse)
    assert read(warehouse, warehouse.page.blocks["try"]) == [("Анна Агеева", "Новая", 2, 20_000_000.5)]


def write(writer: Someone) -> None:
    try:
        for _ in range(ACTS):
            writer.act()
    finally:
        connection.close()


@pytest.mark.long
def test_killed_while_many_write_it_ends_exact(warehouse, vera, anna, settings):
    settings.LIMITS_SCALE = 1_000_000
    make_staff()
    make_deal(anna, client_name="Мария")
    with ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(write, Someone(seed, [anna, vera], vera)) for seed in range(WRITERS)]
        for _ in range(2):
            with warehouse.running("run") as program:
                if not read_if_there(warehouse):
                    program.says("copied")
            make_deal(anna)
        for written in writing:
            written.result()
    catch_up(warehouse)
    assert_is_exact(warehouse, vera)


def test_a_client_who_moves_up_while_the_walk_passes_him_is_in_the_copy(warehouse, vera, anna):
    early = make_client(anna, name="Ранний")
    for number in range(100):  # a page, so that he stands on the second
        make_client(anna, f"79161{number:06}")
    moved: list[Any] = []

    def before_the_second_page(path: str) -> None:
        if "/clients/" in path and "cursor=" in path and not moved:
            moved.append(make_deal(anna, client=early.pk))

    with between(warehouse.environment["LK_URL"], before_the_second_page) as url:
        warehouse.environment["LK_URL"] = url
        catch_up(warehouse)
    assert moved
    assert_is_exact(warehouse, vera)


@contextmanager
def between(url: str, before: Callable[[str], None]) -> Iterator[str]:
    """Stand between a program and LK, and do something before a request is passed on."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                before(self.path)
            finally:
                connection.close()
            passed = httpx.get(url + self.path, headers={"Authorization": self.headers["Authorization"]}, timeout=60)
            self.send_response(passed.status_code)
            self.end_headers()
            self.wfile.write(passed.content)

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def read_if_there(warehouse: Stranger) -> bool:
    """Whether a copy is there already, from which a program goes on without a word."""
    try:
        return bool(read(warehouse, "SELECT 1 FROM place"))
    except sqlite3.OperationalError:
        return False


def test_killed_before_its_first_copy_is_whole_it_copies_again(warehouse, vera, anna):
    make_deal(anna)
    with warehouse.running("run"):
        pass
    assert "copied" in catch_up(warehouse)
    assert_is_exact(warehouse, vera)


def test_away_for_too_long_it_copies_anew(warehouse, vera, anna, settings):
    deal = make_deal(anna, client_name="Мария")
    catch_up(warehouse)
    trash_deal(deal.pk, actor=by(anna), version=1)
    make_deal(anna)
    settings.FEED_LIFE = timedelta(0)
    with warehouse.running("run") as program:
        program.says("copied")
    assert_is_exact(warehouse, vera)


def test_while_lk_is_away_the_copy_stays_and_cron_is_told(warehouse, vera, anna):
    make_deal(anna, client_name="Мария")
    catch_up(warehouse)
    url, warehouse.environment["LK_URL"] = warehouse.environment["LK_URL"], "http://127.0.0.1:9"
    ended = warehouse.bash("once")
    assert ended.returncode == 1
    assert ended.stderr.startswith("LK is away: ")
    warehouse.environment["LK_URL"] = url
    assert_is_exact(warehouse, vera)


def test_the_copy_is_for_its_owner_only(warehouse, anna):
    catch_up(warehouse)
    assert (warehouse.folder / "warehouse.sqlite3").stat().st_mode & 0o077 == 0
