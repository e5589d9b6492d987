"""Load on a server: wrk where it is installed, else threads of Python (slower, and then the loader shares the CPU)."""

import http.client
import json
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

CONNECTIONS = 8  # gthread 2 × 4
NUMBER = "{n}"  # stands in body and headers for a number that no other request has


@dataclass(frozen=True)
class Call:
    """One request, or the pattern of many: `{n}` in body and headers becomes a number of its own each time."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: str = ""


@dataclass(frozen=True)
class Outcome:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failures: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def load(base: str, calls: list[Call], seconds: float) -> Outcome:
    """Send the calls in turn over eight connections for so many seconds."""
    return load_with_wrk(base, calls, seconds) if shutil.which("wrk") else load_with_threads(base, calls, seconds)


LUA = """
local calls = CALLS
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init() n = START + id * 10000000; turn = id * math.floor(#calls / 2) end
local function fill(text) return (text:gsub("{n}", string.format("%09d", n % 1000000000))) end
function request()
  n = n + 1; turn = turn + 1
  local call = calls[turn % #calls + 1]
  local headers = {}
  for name, value in pairs(call.headers) do headers[name] = fill(value) end
  return wrk.format(call.method, call.path, headers, fill(call.body))
end
function done(summary, latency)
  local e = summary.errors
  local failures = e.connect + e.read + e.write + e.status + e.timeout
  local result = '\\nRESULT {"requests": %d, "us": %d, "p50": %d, "p99": %d, "failures": %d}\\n'
  local p50, p99 = latency:percentile(50), latency:percentile(99)
  io.write(string.format(result, summary.requests, summary.duration, p50, p99, failures))
end
"""
STARTS = count(secrets.randbelow(1_000_000_000), 20_000_000)


def fresh_start() -> int:
    """Return a number from which no other load has counted, nor, most likely, one of an earlier run."""
    return next(STARTS)


def load_with_wrk(base: str, calls: list[Call], seconds: float) -> Outcome:
    listed = ",\n".join(lua_table(call) for call in calls)
    script = LUA.replace("CALLS", f"{{{listed}}}").replace("START", str(fresh_start()))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "20s", "-s", file.name, base]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(ran.stdout.rpartition("RESULT ")[2])
    return Outcome(
        result["requests"], result["us"] / 1e6, result["p50"] / 1000, result["p99"] / 1000, result["failures"]
    )


def lua_table(call: Call) -> str:
    headers = ", ".join(f"[{lua_text(name)}] = {lua_text(value)}" for name, value in call.headers.items())
    return (
        f"{{method = {lua_text(call.method)}, path = {lua_text(call.path)}, "
        f"body = {lua_text(call.body)}, headers = {{{headers}}}}}"
    )


def lua_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # Lua 5.1 knows these escapes, but no \u


def load_with_threads(base: str, calls: list[Call], seconds: float) -> Outcome:
    numbers, latencies, failures = count(fresh_start()), [], []
    end = time.monotonic() + seconds

    def one_connection(turn: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=20)
        while time.monotonic() < end:
            call, turn, began = calls[turn % len(calls)], turn + 1, time.perf_counter()
            if not is_answered(connection, call, f"{next(numbers) % 1_000_000_000:09d}"):
                failures.append(call)
            latencies.append(time.perf_counter() - began)

    began = time.monotonic()
    threads = [threading.Thread(target=one_connection, args=(7 * i,)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies.sort()
    p50, p99 = (1000 * latencies[int(len(latencies) * share)] for share in (0.50, 0.99))
    return Outcome(len(latencies), time.monotonic() - began, p50, p99, len(failures))


def is_answered(connection: http.client.HTTPConnection, call: Call, number: str) -> bool:
    headers = {name: value.replace(NUMBER, number) for name, value in call.headers.items()}
    try:
        connection.request(call.method, call.path, call.body.replace(NUMBER, number).encode() or None, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return response.status < 400
