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
print(*(child.process.pid for child in supervisor.children), flush=True)
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


RENEWS = """
import socket, sys
from lk_site.serve import Supervisor
supervisor = Supervisor()
listening = socket.create_server(("127.0.0.1", 0))
supervisor.start([sys.executable, "-c", sys.argv[1], str(listening.fileno())], listening.fileno())
print(listening.getsockname()[1], flush=True)
supervisor.wait()
sys.exit(supervisor.stop())
"""
ANSWERS = """
import os, pathlib, socket, sys
version = pathlib.Path("version").read_bytes()
if version == b"broken":
    raise SystemExit(3)
listening = socket.socket(fileno=int(sys.argv[1]))
os.write(int(os.environ["LK_SERVES_FD"]), b".")
while True:
    connection, _ = listening.accept()
    connection.sendall(version)
    connection.close()
"""


class Site:
    """A supervised program that answers with the version of its release."""

    def __init__(self, release: Path) -> None:
        self.version = release / "version"
        self.version.write_text("1")
        environment = {**os.environ, "LK_RELEASE": str(release)}
        command = [sys.executable, "-c", RENEWS, ANSWERS]
        self.process = subprocess.Popen(command, cwd=serve.ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.port = int(self.said())

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def renew(self, version: str) -> str:
        """Ask for another version, and return what the supervisor says of it."""
        self.version.write_text(version)
        self.process.send_signal(signal.SIGHUP)
        return self.said()

    def ask(self) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            return connection.recv(100).decode()

    def comes_to_answer(self, version: str) -> bool:
        return any(self.ask() == version for _ in range(500))


@pytest.fixture
def site(tmp_path):
    started = Site(tmp_path)
    yield started
    started.process.terminate()
    assert end(started.process) == 0


def test_asked_to_renew_it_replaces_what_serves_by_what_is_there_now(site):
    assert site.ask() == "1"
    assert site.renew("2") == "LK is renewed\n"
    assert site.comes_to_answer("2")
    assert site.renew("3") == "LK is renewed\n"
    assert site.comes_to_answer("3")


def test_a_version_that_does_not_start_leaves_the_one_that_serves(site):
    assert site.renew("broken").startswith("LK was not renewed")
    assert [site.ask() for _ in range(3)] == ["1"] * 3
    assert site.renew("2") == "LK is renewed\n"


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


LISTENED_FOR_US = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": sys.argv[2] or str(os.getpid()), "LISTEN_FDS": "1"}
from lk_site.serve import environment_of_child, socket_of_systemd
found = socket_of_systemd()
print(found and found.getsockname()[1], "LISTEN_FDS" in environment_of_child())
"""


@pytest.mark.parametrize(("pid", "is_ours"), [("", True), ("1", False)])
def test_a_socket_of_systemd_is_taken_where_it_is_meant_for_us(pid, is_ours):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-c", LISTENED_FOR_US, str(listening.fileno()), pid]
        told = subprocess.run(
            command, cwd=serve.ROOT, pass_fds=[listening.fileno()], capture_output=True, text=True, check=True
        )
        assert told.stdout == f"{listening.getsockname()[1] if is_ours else None} False\n"


def test_systemd_is_told_what_happens(monkeypatch, tmp_path, capsys):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        serve.say("LK is renewed")
        assert systemd.recv(1000) == b"READY=1\nSTATUS=LK is renewed"
    assert capsys.readouterr().out == "LK is renewed\n"
