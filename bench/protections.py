"""What each protection costs a request, in microseconds: it is switched off here, in this process, and nowhere else.

LK is asked in-process, in turn with everything on and with one protection off; CPU of this process and of its backend
of PostgreSQL. What is written is rolled back.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from bench import filling
from bench.environment import VAR

TURNS, TIMES, WARM = 7, 10, 6
HEADING = """## What the protections cost

Microseconds of CPU a request, application plus database, in-process: the same request with everything on and with one
protection switched off, in turn; the least of {turns} turns of {times} requests each, of both (`bench/protections.py`).
On an idle machine differences under some 20 µs are noise, on a busy one those under 200.
"""


def main() -> None:
    filling.main()
    from django.core.signals import request_finished, request_started
    from django.db import close_old_connections

    from accounts.models import Role, User
    from bench.in_process import calls_of
    from bench.rows import CREATE, DETAIL, HTML_LIST, LIST
    from bench.seed import visitor

    for signal in (request_started, request_finished):  # a request of ours is inside a transaction
        signal.disconnect(close_old_connections)
    agent = User.objects.agents().filter(role=Role.AGENT).order_by("phone_index")[0]
    calls = calls_of(visitor(agent))
    rows = (LIST, DETAIL, CREATE, HTML_LIST)
    found = {name: {row: saved_us(off, calls[row], row) for row in rows} for name, (off, _) in PROTECTIONS.items()}
    text = table(found, list(rows))
    print(text)
    (VAR / "protections.json").write_text(json.dumps({"text": text, "us": found}))


# --- what is switched off


@contextmanager
def one_session() -> Iterator[None]:
    """Let the row of the session be read once and remembered."""
    from accounts.services import session_store

    read, kept = session_store.row_of, dict[str, Any]()
    with mock.patch.object(session_store, "row_of", lambda key: kept.get(key) or kept.setdefault(key, read(key))):
        yield


@contextmanager
def no_limits() -> Iterator[None]:
    with without("lk_site.middleware.Throttle"), mock.patch("lk_site.middleware.edge.add_limit_headers"):
        yield


@contextmanager
def no_encryption() -> Iterator[None]:
    """Seal and open nothing: what is read is one number, what is written one token. Search indexes stay."""
    with (
        mock.patch("lk_site.encryption.cells.unseal", lambda token, *args, **kwargs: "79101234567" if token else ""),
        mock.patch("lk_site.encryption.fields.seal", return_value=b"\x01\x01" + bytes(60)),
    ):
        yield


def no_evidence() -> AbstractContextManager[Any]:
    return mock.patch("accounts.services.unit_of_work.write")


def no_headers() -> AbstractContextManager[Any]:
    return mock.patch("lk_site.middleware.edge.add_headers")


@contextmanager
def without(*names: str) -> Iterator[None]:
    from django.conf import settings
    from django.test import override_settings

    with override_settings(MIDDLEWARE=[name for name in settings.MIDDLEWARE if name not in names]):
        yield


def no_csrf() -> AbstractContextManager[Any]:
    return without("django.middleware.csrf.CsrfViewMiddleware", "lk_site.middleware.SameSite")


PROTECTIONS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], str]] = {
    "session": (one_session, "its row, person and agency are remembered, not read"),
    "CSRF": (no_csrf, "Django's check and ours of the origin"),
    "limits": (no_limits, "the throttle and its headers; counters in this process"),
    "idempotency": (nullcontext, "the request comes without a key"),
    "audit": (no_evidence, "events are collected, not numbered, chained and written"),
    "encryption": (no_encryption, "nothing is sealed or opened; search indexes are made"),
    "headers": (no_headers, "security headers of the answer"),
}


# --- measuring


def saved_us(off: Callable[[], AbstractContextManager[Any]], call: Any, row: str) -> float | None:
    """Return what the request costs less without the protection, None where it has none."""
    from lk_site.requests import Handler

    bare = call
    if off is nullcontext:  # idempotency
        if "Idempotency-Key" not in call.headers:
            return None
        bare = replace(call, headers={name: value for name, value in call.headers.items() if name != "Idempotency-Key"})
    if off is no_evidence and call.method == "GET":
        return None
    whole = asked(Handler(), call)
    with off():
        cut = asked(Handler(), bare)
        for _ in range(WARM):
            cut()
    for _ in range(WARM):
        whole()
    pairs = [(cpu_us(whole), cpu_us_under(off, cut)) for _ in range(TURNS)]
    return min(with_it for with_it, _ in pairs) - min(without_it for _, without_it in pairs)


def asked(application: Any, call: Any) -> Callable[[], None]:
    """Return the function that asks once and takes back what was written."""
    from django.db import transaction

    from bench.in_process import asking

    ask = asking(application, call)
    if call.method == "GET":
        return ask

    def undone() -> None:
        with transaction.atomic():
            ask()
            transaction.set_rollback(True)

    return undone


def cpu_us_under(off: Callable[[], AbstractContextManager[Any]], ask: Callable[[], None]) -> float:
    with off():
        return cpu_us(ask)


def cpu_us(ask: Callable[[], None]) -> float:
    """Return the microseconds of this process and of its backend for one request."""
    backend = schedule_of_backend()
    ours, theirs = time.process_time_ns(), on_cpu_ns(backend)
    for _ in range(TIMES):
        ask()
    return (time.process_time_ns() - ours + on_cpu_ns(backend) - theirs) / TIMES / 1000


def schedule_of_backend() -> Path:
    from django.db import connection

    connection.ensure_connection()
    return Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")


def on_cpu_ns(schedule: Path) -> int:
    return int(schedule.read_text().split()[0])


def table(found: dict[str, dict[str, float | None]], rows: list[str]) -> str:
    lines = [f"| µs | {' | '.join(rows)} | switched off |", "|---" * (len(rows) + 2) + "|"]
    for name, of_rows in found.items():
        numbers = " | ".join("–" if us is None else f"{us:.0f}" for us in of_rows.values())
        lines.append(f"| {name} | {numbers} | {PROTECTIONS[name][1]} |")
    return "\n".join([HEADING.format(turns=TURNS, times=TIMES), *lines])


if __name__ == "__main__":
    os.environ.setdefault("LK_LOG_LEVEL", "ERROR")
    main()
