"""sqlmap against six routes of the running site, and against one made to be broken, so that we know it finds."""

import json
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from attack import table
from attack.site import Site
from conftest import absent

SECONDS = 150  # for a route
FOUND = re.compile(r"identified the following injection point|is vulnerable")
SUSPECTED = re.compile(r"appears to be .*injectable")  # what sqlmap says before it has looked twice
IN_VAIN = "all tested parameters do not appear to be injectable"
ANSWERS = "400,401,403,404,405,409,412,415,422,429"
FORM = "Content-Type: application/x-www-form-urlencoded"


def sqlmap(
    folder: Path,
    url: str,
    parameters: str,
    *,
    dbms: str = "PostgreSQL",
    data: str = "",
    headers: Iterable[str] = (),
) -> tuple[str, int]:
    """Try to inject SQL into these parameters for so many seconds; return what sqlmap says, and how often it asked."""
    if shutil.which("sqlmap") is None:
        absent("No sqlmap here. On Debian: apt-get install sqlmap")
    traffic = folder / "traffic"
    command = ["sqlmap", "-u", url, "-p", parameters, "--batch", "--disable-coloring", "--ignore-redirects"]
    command += ["--output-dir", str(folder), "--flush-session", "--ignore-code", ANSWERS, "-t", str(traffic)]
    command += ["--level", "3", "--risk", "2", "--technique", "BEUST", "--time-sec", "2", "--threads", "4"]
    command += ["--timeout", "20", "--retries", "1", "--skip-waf", "--fresh-queries", "--dbms", dbms]
    command += ["--data", data] if data else []
    command += ["--headers", "\n".join(headers)] if headers else []
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=folder).stdout
    except subprocess.TimeoutExpired as over:
        said = (over.stdout or b"").decode("utf-8", "replace")
    asked = traffic.read_text(encoding="utf-8", errors="replace").count("HTTP request [") if traffic.exists() else 0
    return said, asked


# --- the control


def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with what a query finds that is put together of what was sent."""
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE deal (id INTEGER, name TEXT); INSERT INTO deal VALUES (1, 'Anna'), (2, 'Boris')"
    )
    wanted = parse_qs(environ["QUERY_STRING"]).get("id", ["1"])[0]
    try:
        found = str(database.execute(f"SELECT name FROM deal WHERE id = {wanted}").fetchall())
    except sqlite3.Error:
        found = "nothing"
    database.close()
    start_response("200 OK", [("Content-Type", "text/html")])
    return [f"<p>{found}</p>".encode()]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def broken_site() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, broken, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/?id=1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_sqlmap_finds_what_is_broken(broken_site: str, tmp_path: Path):
    said, asked = sqlmap(tmp_path, broken_site, "id", dbms="SQLite")
    table.rows.append(
        table.Row("sqlmap", "a route made to be broken, as a control", asked, int(bool(FOUND.search(said))))
    )
    assert FOUND.search(said), said[-2000:]


# --- the routes


def targets(site: Site) -> dict[str, dict[str, Any]]:
    """Return how each route is asked: address, parameters to inject into, body and headers."""
    token, key = site.world["csrf"], [f"Authorization: Bearer {site.world['key']}"]
    anna, staff = ([f"Cookie: {site.cookies(who)}", f"X-CSRFToken: {token}"] for who in ("anna", "staff"))
    deal = {
        "agent": site.world["boris"],
        "client_phone": "79031112233",
        "client_name": "Maria",
        "property_address": "Arbat 1",
        "price": "100",
        "notes": "quiet",
    }
    filters = "q=Arbat&price_min=1&created_from=2026-01-01&kind=sale&limit=5"
    return {
        "GET /api/v1/deals/": {
            "url": f"/api/v1/deals/?{filters}",
            "parameters": "q,price_min,created_from,kind,limit",
            "headers": key,
        },
        "POST /api/v1/deals/": {
            "url": "/api/v1/deals/",
            "parameters": "client_phone,client_name,property_address,price,notes",
            "data": json.dumps(deal),
            "headers": [*key, "Content-Type: application/json"],
        },
        "GET /deals/": {
            "url": "/deals/?stage=new&price_min=1&created_from=2026-01-01",
            "parameters": "stage,price_min,created_from",
            "headers": anna,
        },
        "POST /deals/search/": {
            "url": "/deals/search/",
            "parameters": "q",
            "data": f"csrfmiddlewaretoken={token}&q=Arbat",
            "headers": [*anna, FORM],
        },
        "POST /admin/login/": {
            "url": "/admin/login/",
            "parameters": "login,username,password",
            "data": f"csrfmiddlewaretoken={token}&login=sonya&username=sonya&password=a&code=123456",
            "headers": [f"Cookie: {site.cookies('nobody')}", FORM],
        },
        "GET /admin/accounts/event/": {
            "url": "/admin/accounts/event/?q=deal&action=deal.created&o=1&p=0",
            "parameters": "q,action,o,p",
            "headers": staff,
        },
    }


ROUTES = (
    "GET /api/v1/deals/",
    "POST /api/v1/deals/",
    "GET /deals/",
    "POST /deals/search/",
    "POST /admin/login/",
    "GET /admin/accounts/event/",
)


def test_what_sqlmap_asks_gets_past_the_doors(site: Site):
    """Or it would find nothing because nothing arrives."""
    statuses = {}
    for route, target in targets(site).items():
        headers = dict(line.split(": ", 1) for line in target["headers"])
        statuses[route] = site.ask(route.split()[0], target["url"], headers, target.get("data", "")).status
    assert {route: status for route, status in statuses.items() if status not in (200, 201, 302, 422)} == {}


@pytest.mark.parametrize("route", ROUTES)
def test_sqlmap_finds_nothing(site: Site, tmp_path: Path, route: str):
    target = targets(site)[route]
    said, asked = sqlmap(tmp_path, site.url + target.pop("url"), **target)
    is_found = bool(FOUND.search(said) or (IN_VAIN not in said and SUSPECTED.search(said)))
    until = "to its end" if IN_VAIN in said else f"for {SECONDS} s"
    table.rows.append(table.Row("sqlmap", f"{route}, {until}", asked, int(is_found)))
    assert not is_found, said[-4000:]
    assert asked > 20, said[-2000:]
    assert "Traceback" not in site.web.text
