"""Start a server, send it requests, and tell what each cost."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from bench import proc
from bench.environment import DATABASE, HOST, ORIGIN, PORT, SECONDS, VAR
from bench.load import Call, Outcome, load
from lk_site.serve import ROOT, answers, web

WARM_UP_S = 2.0


@dataclass(frozen=True)
class Measured:
    """One kind of request on one server."""

    outcome: Outcome
    cpu_ms: float
    memory_mb: float


def measure(application: str, scenarios: dict[str, list[Call]]) -> dict[str, Measured]:
    """Start a server and send it each kind of request, one after the other."""
    with running(application) as server:
        return {name: measure_one(server, calls) for name, calls in scenarios.items()}


@contextmanager
def running(application: str) -> Iterator[int]:
    VAR.mkdir(exist_ok=True)
    with (VAR / "server.log").open("w") as log:
        server = subprocess.Popen(web(HOST, PORT, application), cwd=ROOT, stderr=log, stdout=log)
        try:
            wait_for(lambda: answers(HOST, PORT) or server.poll() is not None)
            if server.poll() is not None:
                sys.exit((VAR / "server.log").read_text())
            yield server.pid
        finally:
            server.terminate()
            server.wait()


def wait_for(is_true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_true() and time.monotonic() < end:
        time.sleep(0.1)


def measure_one(server: int, calls: list[Call]) -> Measured:
    """Return what the calls cost: CPU of the server's processes and of the database's, per request."""
    must_answer(calls[0])
    load(ORIGIN, calls, WARM_UP_S)
    before = cpu_of(server)
    outcome = load(ORIGIN, calls, SECONDS)
    cpu_ms = 1000 * (cpu_of(server) - before) / outcome.requests
    return Measured(outcome, cpu_ms, proc.memory_mb(proc.family(server)))


def cpu_of(server: int) -> float:
    return proc.cpu_seconds(proc.family(server)) + proc.cpu_seconds(proc.backends(DATABASE))


def must_answer(call: Call) -> None:
    """End the bench if a request is refused: a refusal is fast, and measures nothing."""
    body = call.body.replace("{n}", "000000001").encode() or None
    headers = {name: value.replace("{n}", "first") for name, value in call.headers.items()}
    try:
        urlopen(Request(ORIGIN + call.path, body, headers, method=call.method), timeout=30).close()
    except HTTPError as error:
        sys.exit(f"{call.method} {call.path} is answered {error.code}: {error.read()[:500]!r}")
    except URLError as error:
        sys.exit(f"{call.method} {call.path}: {error.reason}")
