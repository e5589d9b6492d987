"""What the bench measures on, and with: databases of its own, ports, times. All from the environment."""

import os
from urllib.parse import urlsplit

from lk_site.serve import ROOT

FULL, SMALL = 1_000_000, 10_000  # deals
DEALS = int(os.environ.get("BENCH_DEALS") or FULL)
DATABASE = "lk_bench" if DEALS == FULL else f"lk_bench_{DEALS}"
SERVER = (
    os.environ.get("BENCH_SERVER") or os.environ.get("DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"
)
URL = urlsplit(SERVER)._replace(path=f"/{DATABASE}").geturl()
ANY_DATABASE = urlsplit(SERVER)._replace(path="/postgres").geturl()  # to make others from
SECONDS = float(os.environ.get("BENCH_SECONDS") or 8)
VAR = ROOT / "bench" / "var"
HOST, PORT = "127.0.0.1", int(os.environ.get("BENCH_PORT") or 8977)
ORIGIN = f"http://{HOST}:{PORT}"


def for_django() -> dict[str, str]:
    """Return the environment of LK as it is measured: the limits are counted as ever, and never reached."""
    return {
        "DJANGO_SETTINGS_MODULE": "lk_site.settings",
        "DATABASE_URL": URL,
        "BENCH_SERVER": SERVER,
        "BENCH_DEALS": str(DEALS),
        "LK_LOCAL": "1",
        "LK_LIMITS_SCALE": "1000000",
        "LK_VAR_DIR": str(VAR),
        "HOST": HOST,
    }
