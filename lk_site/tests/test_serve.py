"""The supervisor: what it starts ends with it, and how it ended can be told from outside."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lk_site import serve

SUPERVISE = """
import sys
from lk_site.serve import Supervisor
supervisor = Supervisor()
for code in sys.argv[1:]:
    supervisor.start([sys.executable, "-c", code])
print(*(child.pid for child in supervisor.children), flush=True)
supervisor.wait()
sys.exit(supervisor.stop())
"""


def supervise(*programs: str) -> tuple["subprocess.Popen[str]", list[int]]:
    """Start a supervisor of these Python programs; return it with the process ids of its children."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, *programs], cwd=serve.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def end(process: "subprocess.Popen[str]", seconds: float = 10) -> int:
    process.communicate(timeout=seconds)
    return process.returncode


def are_gone(pids: list[int]) -> bool:
    for _ in range(50):
        if not any(is_running(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


STAYS = "import time; time.sleep(60)"
FAILS = "import time; time.sleep(0.5); raise SystemExit(7)"
ENDS = "import time; time.sleep(0.5)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_stop_it_ends_its_children_and_succeeds(number):
    process, children = supervise(STAYS, STAYS)
    process.send_signal(number)
    assert end(process) == 0
    assert are_gone(children)


def test_a_child_that_fails_ends_the_others_and_lends_its_exit_status():
    process, children = supervise(STAYS, FAILS)
    assert end(process) == 7
    assert are_gone(children)


def test_a_child_that_ends_unasked_is_a_failure():
    process, children = supervise(STAYS, ENDS)
    assert end(process) == 1
    assert are_gone(children)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_no_child_outlives_a_supervisor_that_is_killed():
    process, children = supervise(STAYS, STAYS)
    process.kill()
    assert end(process) == -signal.SIGKILL
    assert are_gone(children)


def serve_with(**environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lk_site.serve"],
        cwd=serve.ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "８０"])
def test_a_port_that_is_none_is_refused_in_one_sentence(port):
    refused = serve_with(PORT=port)
    assert refused.returncode != 0
    assert refused.stderr == f"LK does not start: PORT={port} is not a port number from 1 to 65535.\n"


def test_a_taken_port_is_refused_in_one_sentence(live_port):
    refused = serve_with(PORT=str(live_port))
    assert refused.returncode != 0
    assert refused.stderr.startswith(f"LK does not start: it cannot listen on 127.0.0.1 port {live_port}")
    assert refused.stderr.count("\n") == 1


@pytest.fixture
def live_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]
