"""Start the floor and LK beside each other, send them requests in turn, and tell what each cost."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from bench import proc
from bench.calls import Calls
from bench.environment import DATABASE, HOST, PORT, SECONDS, VAR
from bench.load import Call, Outcome, load
from bench.rows import ONCE
from lk_site.serve import ROOT, answers, web

WARM_UP_S, ROUNDS = 1.0, 2


@dataclass
class Measured:
    """What one kind of request cost on one server; `cpu_ms` of the server's processes, `db_ms` of the database's."""

    outcomes: list[Outcome] = field(default_factory=list)
    cpu_s: float = 0
    db_s: float = 0
    memory_mb: float = 0

    @property
    def requests(self) -> int:
        return sum(outcome.requests for outcome in self.outcomes)

    def as_json(self) -> dict[str, float]:
        return {
            "cpu_ms": 1000 * self.cpu_s / self.requests,
            "db_ms": 1000 * self.db_s / self.requests,
            "per_second": self.requests / sum(outcome.seconds for outcome in self.outcomes),
            "p50_ms": statistics.mean(outcome.p50_ms for outcome in self.outcomes),
            "p99_ms": max(outcome.p99_ms for outcome in self.outcomes),
            "refused": sum(outcome.failures for outcome in self.outcomes),
            "memory_mb": self.memory_mb,
        }


@dataclass(frozen=True)
class Server:
    """A server that runs, and how to reach it."""

    pid: int
    origin: str


def measure(bare: Calls, ours: Calls, seconds: float = SECONDS) -> dict[str, dict[str, dict[str, float]]]:
    """Send each kind of request to the floor and to LK in turn; return what each cost under `floor` and `product`.

    LK alone is asked where `bare` is empty.
    """
    found: dict[str, dict[str, dict[str, float]]] = {"floor": {}, "product": {}}
    with ExitStack() as stack:
        product = stack.enter_context(running("lk_site.wsgi:application", PORT))
        floor = stack.enter_context(running("bench.floor:application", PORT + 1)) if bare else None
        for name, calls in ours.items():
            pairs = [("product", product, calls)]
            if floor and name in bare:
                pairs.insert(0, ("floor", floor, bare[name]))
            for side, measured in in_turn(name, pairs, seconds):
                found[side][name] = measured.as_json()
                print(f"{name}, {side}: {found[side][name]}", flush=True)
    return found


def in_turn(name: str, pairs: list[tuple[str, Server, list[Call]]], seconds: float) -> list[tuple[str, Measured]]:
    measured = [(side, Measured()) for side, _, _ in pairs]
    for turn in range(ROUNDS + 1):  # the first one warms up
        for (_, into), (_, server, calls) in zip(measured, pairs, strict=True):
            part = share(calls, turn) if name in ONCE else calls
            if turn == 0:
                if name not in ONCE:
                    must_answer(server.origin, part[0])
                load(server.origin, part, WARM_UP_S)
            else:
                add(into, server, part, seconds / ROUNDS)
    return measured


def share(calls: list[Call], turn: int) -> list[Call]:
    """Return the calls of one turn, where each call can be sent once."""
    size = len(calls) // (ROUNDS + 1)
    return calls[turn * size : (turn + 1) * size]


def add(into: Measured, server: Server, calls: list[Call], seconds: float) -> None:
    """Load a server for some seconds, and add what that cost."""
    family, backends = proc.family(server.pid), proc.backends(DATABASE)
    cpu, db = proc.cpu_seconds(family), proc.cpu_seconds(backends)
    into.outcomes.append(load(server.origin, calls, seconds))
    into.cpu_s += proc.used_since(cpu, proc.cpu_seconds(proc.family(server.pid)))
    into.db_s += proc.used_since(db, proc.cpu_seconds(proc.backends(DATABASE)))
    into.memory_mb = max(into.memory_mb, proc.memory_mb(family))


@contextmanager
def running(application: str, port: int) -> Iterator[Server]:
    log_file = VAR / f"server-{port}.log"
    with log_file.open("w") as log:
        server = subprocess.Popen(web(HOST, port, application), cwd=ROOT, stderr=log, stdout=log)
        try:
            wait_for(lambda: answers(HOST, port) or server.poll() is not None)
            if server.poll() is not None:
                sys.exit(log_file.read_text())
            yield Server(server.pid, f"http://{HOST}:{port}")
        finally:
            server.terminate()
            server.wait()


def wait_for(is_true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_true() and time.monotonic() < end:
        time.sleep(0.05)


def must_answer(origin: str, call: Call) -> None:
    """End the bench if a request is refused: a refusal is fast, and measures nothing."""
    body = call.body.replace("{n}", "000000001").encode() or None
    headers = {name: value.replace("{n}", "first") for name, value in call.headers.items()}
    try:
        urlopen(Request(origin + call.path, body, headers, method=call.method), timeout=30).close()
    except HTTPError as error:
        sys.exit(f"{call.method} {call.path} is answered {error.code}: {error.read()[:500]!r}")
    except URLError as error:
        sys.exit(f"{call.method} {call.path}: {error.reason}")


def cold_start_s(times: int = 3) -> float:
    """Return how long the whole site takes from its start to the first page, at best."""
    return min(one_start() for _ in range(times))


def one_start() -> float:
    began = time.monotonic()
    with running("lk_site.wsgi:application", PORT + 2) as server:
        urlopen(f"{server.origin}/login/", timeout=30).close()
        return time.monotonic() - began
