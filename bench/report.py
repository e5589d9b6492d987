"""The tables of results, put together from what the parts of the bench have kept in bench/var/, printed and kept."""

import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from typing import Any

from bench.environment import DEALS, FULL, SECONDS, SMALL, VAR
from bench.load import CONNECTIONS
from bench.rows import CHECK_CODE, CREATE, DEEP, DETAIL, HTML_CARD, HTML_LIST, LIST, SEARCH, SEND_CODE
from bench.scale import MEASURED
from lk_site.serve import ROOT

LIMITS = {  # performance.md: floors that must not be passed, and those to aim at
    LIST: (3.0, 2.2),
    DEEP: (3.0, 2.2),
    DETAIL: (4.0, 2.8),
    CREATE: (3.5, 2.5),
    SEARCH: (3.0, 2.2),
    HTML_LIST: (8.0, 5.5),
    HTML_CARD: (10.0, 6.0),
    SEND_CODE: (4.0, 3.0),
    CHECK_CODE: (4.0, 3.0),
}
GROWTH = (1.15, 1.05)
MEMORY_MB, COLD_START_S, FIRST_PAGE_KB = (200, 150), (3, 1.5), (60, 35)
FLOOR_OF = {HTML_LIST: LIST}  # a page is measured against the JSON with the same facts; the card has a floor of its own
RESULTS = ROOT / "bench" / "RESULTS.md"
HEADING = """# Results of `make bench`

CPU of web server and database per request, as multiples of the floor: the same answer by bare psycopg and orjson
(`bench/floor.py`) under the same gunicorn, asked in turn with LK in one run. Everything is on: sessions, CSRF, limits,
evidence, encryption, idempotency. The floor writes what LK must write (a search for a number leaves its event, a code
its challenge, counters and message), and protects nothing. A code is requested for a phone that nobody has, and checked
for an agent's; page 5,000 is that of a head of 110,000 deals.
"""

Numbers = dict[str, dict[str, float]]


def report() -> None:
    """Print what is there and keep it."""
    text = "\n".join([HEADING, machine(), "", *load_tables(), *other_tables()])
    print(text)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")
    if DEALS == FULL and (found := kept(f"load-{DEALS}")):
        MEASURED.write_text(json.dumps(found["product"], indent=1) + "\n")


def machine() -> str:
    loader = "wrk" if shutil.which("wrk") else "Python"
    return (
        f"{time.strftime('%Y-%m-%d')}, {DEALS:,} deals, PostgreSQL, {os.cpu_count()} cores shared with the loader "
        f"({loader}), Python {platform.python_version()}, gunicorn gthread 2 × 4, {CONNECTIONS} connections, "
        f"{SECONDS:.0f} s each; the machine's load was {os.getloadavg()[2]:.1f} on average over the last 15 minutes."
    )


def kept(name: str) -> Any:
    path = VAR / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def load_tables() -> Iterator[str]:
    found = kept(f"load-{DEALS}")
    if found is None:
        return
    yield from heading(
        "",
        *("floor, CPU ms", "LK, CPU ms", "of these application", "database", "floors", "must", "aim"),
        *("requests a second", "p50 ms", "p99 ms", "refused"),
    )
    for name, ours in found["product"].items():
        yield load_row(name, found["floor"][FLOOR_OF.get(name, name)], ours)
    yield ""
    yield from once_table(found)
    if (small := kept(f"load-{SMALL}")) and DEALS != SMALL:
        yield from growth_table(small["product"], found["product"])


def load_row(name: str, bare: dict[str, float], ours: dict[str, float]) -> str:
    must, aim = LIMITS[name]
    floor_ms, our_ms = cpu_of(bare), cpu_of(ours)
    return (
        f"| {name} | {floor_ms:.2f} | {our_ms:.2f} | {ours['cpu_ms']:.2f} | {ours['db_ms']:.2f} "
        f"| **{our_ms / floor_ms:.1f}** | ≤ {must} | ≤ {aim} | {ours['per_second']:.0f} | {ours['p50_ms']:.1f} "
        f"| {ours['p99_ms']:.1f} | {ours['refused']:.0f} |"
    )


def cpu_of(measured: dict[str, float]) -> float:
    return measured["cpu_ms"] + measured["db_ms"]


def once_table(found: Any) -> Iterator[str]:
    pages = kept("pages") or {}
    memory = max(ours["memory_mb"] for ours in found["product"].values())
    yield from heading("", "measured", "must", "aim")
    yield once_row("memory of the web server, two workers (PSS), MB", f"{memory:.0f}", MEMORY_MB)
    yield once_row("cold start to the first page, s", f"{found['cold_start_s']:.2f}", COLD_START_S)
    if pages:
        yield once_row("JavaScript and CSS of the first page, compressed, KB", f"{pages['code_kb']:.1f}", FIRST_PAGE_KB)
    yield ""


def once_row(what: str, measured: str, limits: tuple[float, float]) -> str:
    return f"| {what} | {measured} | ≤ {limits[0]} | ≤ {limits[1]} |"


def growth_table(small: Numbers, large: Numbers) -> Iterator[str]:
    must, aim = GROWTH
    yield f"From {SMALL:,} to {DEALS:,} deals (must be ≤ × {must}, aim × {aim}); CPU ms of application plus database:"
    yield ""
    yield from heading("", f"{SMALL:,}", f"{DEALS:,}", "×")
    for name, ours in large.items():
        was, now = cpu_of(small[name]), cpu_of(ours)
        yield f"| {name} | {was:.2f} | {now:.2f} | **{now / was:.2f}** |"
    yield ""


def other_tables() -> Iterator[str]:
    for name in ("protections", "pages", "instructions"):
        if found := kept(name):
            yield found["text"]
            yield ""


def heading(*names: str) -> Iterator[str]:
    yield f"| {' | '.join(names)} |".replace("|  |", "| |")
    yield "|---" * len(names) + "|"


if __name__ == "__main__":
    report()
