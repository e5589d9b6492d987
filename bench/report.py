"""The table of results, printed and kept."""

import os
import platform
import shutil
import time

from bench.calls import CREATE, DETAIL, HTML_CARD, HTML_LIST, LIST
from bench.environment import DEALS, SECONDS
from bench.load import CONNECTIONS
from bench.measure import Measured
from lk_site.serve import ROOT

MUST = {LIST: 3.0, DETAIL: 4.0, CREATE: 3.5, HTML_LIST: 8.0, HTML_CARD: 10.0}  # floors
FLOOR_OF = {HTML_LIST: LIST}  # a page is measured against the JSON with the same facts; the card has a floor of its own
HEADING = """# Results of `make bench`

CPU of web server and database per request, as multiples of the floor: the same answer by bare psycopg and orjson
(`bench/floor.py`) under the same gunicorn. Everything is on: sessions, CSRF, limits, evidence, encryption, idempotency.

"""


def report(floors: dict[str, Measured], products: dict[str, Measured]) -> None:
    """Print the table and keep it."""
    lines = [
        "| | floor, CPU ms | LK, CPU ms | floors | must | requests a second | p50 ms | p99 ms | refused |",
        "|---" * 9 + "|",
    ]
    for name, product in products.items():
        bare = floors[name if name in floors else FLOOR_OF[name]]
        run = product.outcome
        lines.append(
            f"| {name} | {bare.cpu_ms:.2f} | {product.cpu_ms:.2f} | **{product.cpu_ms / bare.cpu_ms:.1f}** | "
            f"≤ {MUST[name]} | {run.per_second:.0f} | {run.p50_ms:.1f} | {run.p99_ms:.1f} | {run.failures} |"
        )
    memory = max(product.memory_mb for product in products.values())
    table = "\n".join([*lines, "", f"Memory of the web server, two workers (PSS): {memory:.0f} MB."])
    print(table)
    (ROOT / "bench" / "RESULTS.md").write_text(f"{HEADING}{machine()}\n\n{table}\n", encoding="utf-8")


def machine() -> str:
    loader = "wrk" if shutil.which("wrk") else "Python"
    return (
        f"{time.strftime('%Y-%m-%d')}, {DEALS:,} deals, PostgreSQL, "
        f"{os.cpu_count()} cores shared with the loader ({loader}), "
        f"Python {platform.python_version()}, gunicorn gthread 2 × 4, {CONNECTIONS} connections, {SECONDS:.0f} s each."
    )
