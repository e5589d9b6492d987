"""What the bench measures on, and with: a database of its own, a port, times. All from the environment."""

import os
from urllib.parse import urlsplit

from lk_site.serve import ROOT

DATABASE = "lk_bench"
SERVER = os.environ.get("DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"
URL = urlsplit(SERVER)._replace(path=f"/{DATABASE}").geturl()
DEALS = int(os.environ.get("BENCH_DEALS") or 20_000)
SECONDS = float(os.environ.get("BENCH_SECONDS") or 8)
VAR = ROOT / "bench" / "var"
HOST, PORT = "127.0.0.1", int(os.environ.get("BENCH_PORT") or 8977)
ORIGIN = f"http://{HOST}:{PORT}"
