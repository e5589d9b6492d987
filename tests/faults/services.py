"""Programs that are started again when they end, as the systemd units of `deploy/systemd` say."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from bench.proc import family, stat_fields
from deploy.tests.nginx import wait_until
from lk_site.serve import ROOT

UNIT = (ROOT / "deploy" / "systemd" / "lk-web.service").read_text()
RESTART_S = float(re.findall(r"^RestartSec=(\d+)", UNIT, re.MULTILINE)[0])
AS_SYSTEMD = """
import os, sys
from lk_site.serve import die_with
parent, listening, *command = sys.argv[1:]
die_with(int(parent))
if listening != "-":
    os.dup2(int(listening), 3)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, *command])
"""


class Service:
    """A Python program that is kept running; one that listens does so on a socket that outlives it."""

    def __init__(
        self, command: list[str], environment: dict[str, str], log: Path, listening: socket.socket | None = None
    ) -> None:
        self.command, self.environment, self.log, self.listening = command, environment, log, listening
        self.is_ending = threading.Event()
        self.process = self.begin()
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    def begin(self) -> "subprocess.Popen[bytes]":
        handed = () if self.listening is None else (self.listening.fileno(),)
        whence = [str(os.getpid()), *(map(str, handed) if handed else ("-",))]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, *whence, *self.command],
                cwd=ROOT,
                env=self.environment,
                pass_fds=handed,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def keep(self) -> None:
        while not self.is_ending.is_set():
            self.process.wait()
            if not self.is_ending.wait(RESTART_S):
                self.process = self.begin()

    @property
    def family(self) -> set[int]:
        """The process and all its descendants."""
        return family(self.process.pid)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it and what it has started at once, as the machine would; it is started again later."""
        kill_family(self.process.pid)

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        self.is_ending.set()
        self.process.terminate()
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.kill()
        self.keeper.join(10)


def kill_family(pid: int) -> None:
    """End a process and its descendants at once, and wait until all are gone."""
    os.kill(pid, signal.SIGSTOP)  # so that it starts no more of them
    pids = family(pid)
    for one in pids:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    wait_until(lambda: all(stat_fields(Path(f"/proc/{one}"))[:1] in ([], ["Z"]) for one in pids))
