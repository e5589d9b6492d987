"""One command for the web server and the outbox worker: started together, stopped together, renewed in turn.

Run as `python -m lk_site.serve`, or `… serve web` where workers are services of their own. It needs only the standard
library, so that it weighs little; the application itself checks that it may start (`lk_site.startup`), and the worker
follows once the web server serves. Linux ends the children with their parent even after `kill -9`.

SIGHUP renews: a new web server, with the code, settings and keys that are there now, starts on the same socket, and
only once it serves does the old one finish its requests and go. One that does not come up changes nothing. gunicorn's
own HUP cannot do that: a preloaded application stays the old one, and one that is loaded anew and is broken ends the
server.
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
REQUESTS_S = 30  # what requests that have begun may take when their process is to go
GRACE_S = REQUESTS_S + 5  # what the children may take to finish
START_S = 60  # what a new child may take until it serves
LOOK_S = 0.1
BACKLOG = 2048
SERVES = b"."
PR_SET_PDEATHSIG = 1
FIRST_FD_OF_SYSTEMD = 3  # sd_listen_fds(3)
FOR_US_ALONE = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET")


def web(host: str, port: int, application: str = "lk_site.wsgi:application") -> list[str]:
    """Return the command of a web server that opens its own socket."""
    return web_at(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", application)


def web_at(address: str, application: str = "lk_site.wsgi:application") -> list[str]:
    """Return the command of the web server: gthread 2 × 4, as measured; LK_WORKERS and LK_THREADS change it."""
    return [
        *(sys.executable, "-m", "gunicorn", application),
        *("--config", "python:lk_site.gunicorn_hooks"),
        *("--bind", address),
        *("--worker-class", "gthread"),
        *("--workers", os.environ.get("LK_WORKERS", "2")),
        *("--threads", os.environ.get("LK_THREADS", "4")),
        *("--graceful-timeout", str(REQUESTS_S)),
        *("--forwarded-allow-ips", ""),  # the application alone decides whom it believes
        *("--log-level", "warning"),
        "--preload",
        "--no-control-socket",
    ]


def worker() -> list[str]:
    return [sys.executable, "manage.py", "worker"]


def metrics() -> list[str]:
    return [sys.executable, "manage.py", "metrics"]


def home() -> str:
    """Return where children find the code: LK_RELEASE may be a link, which an upgrade turns to the next release."""
    return os.environ.get("LK_RELEASE") or str(ROOT)


class Child:
    """A program in a session of its own: Ctrl-C reaches only us, and we end it in order."""

    def __init__(self, command: list[str], listening: int | None = None) -> None:
        """Start it. One that is given a socket to listen on says through a pipe when it serves."""
        self.command, self.listening = command, listening
        parent = os.getpid()
        self.told, tells = os.pipe()
        self.process = subprocess.Popen(
            command,
            cwd=home(),
            env=environment_of_child() | {"LK_SERVES_FD": str(tells)},
            pass_fds=() if listening is None else (listening, tells),
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )
        os.close(tells)

    def anew(self) -> "Child":
        return Child(self.command, self.listening)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def serves(self, within_s: float) -> bool:
        """Return whether it says in this time that it serves; one that listens nowhere does so while it runs."""
        if self.listening is None:
            return self.is_running
        readable, _, _ = select.select([self.told], [], [], within_s)
        return bool(readable) and os.read(self.told, 1) == SERVES

    def ask_to_end(self) -> None:
        if self.is_running:
            self.process.terminate()

    def end_by(self, end: float) -> None:
        with suppress(OSError):
            os.close(self.told)
        try:
            self.process.wait(max(0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """Starts children and stays until one of them ends or somebody asks to stop; then ends them all."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.leaving: list[tuple[Child, float]] = []  # replaced ones, and when they must be gone
        self.is_asked_to_stop = self.is_asked_to_renew = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop_asked)
        signal.signal(signal.SIGHUP, self._renewal_asked)

    def _stop_asked(self, number: int, frame: FrameType | None) -> None:
        self.is_asked_to_stop = True

    def _renewal_asked(self, number: int, frame: FrameType | None) -> None:
        self.is_asked_to_renew = True

    @property
    def goes_on(self) -> bool:
        return not self.is_asked_to_stop and all(child.is_running for child in self.children)

    def start(self, command: list[str], listening: int | None = None) -> bool:
        """Start a child and return whether it came to serve."""
        self.children.append(Child(command, listening))
        return self.comes_to_serve(self.children[-1])

    def comes_to_serve(self, child: Child) -> bool:
        """Return whether the child serves before it or another one ends, or somebody asks to stop."""
        end = time.monotonic() + START_S
        while self.goes_on and child.is_running and time.monotonic() < end:
            if child.serves(within_s=LOOK_S):
                return True
        return False

    def wait(self) -> None:
        while self.goes_on:
            if self.is_asked_to_renew:
                self.is_asked_to_renew = False
                self.renew()
            self.let_go()
            time.sleep(LOOK_S)

    def renew(self) -> None:
        """Replace every child in turn by a new one that serves; where one does not come up, the old ones stay."""
        for place, old in enumerate(self.children):
            new = old.anew()
            if not self.comes_to_serve(new):
                new.ask_to_end()
                self.leaving.append((new, time.monotonic() + GRACE_S))
                say("LK was not renewed: what is new does not start. What ran before goes on.")
                return
            self.children[place] = new
            old.ask_to_end()
            self.leaving.append((old, time.monotonic() + GRACE_S))
        say("LK is renewed")

    def let_go(self) -> None:
        """Take leave of replaced children that have ended, and end those that take too long."""
        for child, end in list(self.leaving):
            if not child.is_running or time.monotonic() >= end:
                child.end_by(end)
                self.leaving.remove((child, end))

    def stop(self) -> int:
        """End all children, the last first, and return the exit status: 0 only if somebody asked for the end."""
        codes = (child.process.returncode for child in self.children if not child.is_running)
        failed = next(codes, 0)
        every = [*(child for child, _end in self.leaving), *self.children]
        for child in reversed(every):
            child.ask_to_end()
        end = time.monotonic() + GRACE_S
        for child in every:
            child.end_by(end)
        if self.is_asked_to_stop:
            return 0
        return failed if failed > 0 else 1


def environment_of_child() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in FOR_US_ALONE}
    return {**ours, "PYTHONUNBUFFERED": "1"}


def die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we could bind ourselves to it
            os.kill(os.getpid(), signal.SIGTERM)


def say(sentence: str) -> None:
    """Tell whoever started us: the terminal or the journal, and systemd in the status of the service."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, suppress(OSError):
            systemd.sendto(f"READY=1\nSTATUS={sentence}".encode(), address.replace("@", "\0", 1))


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def socket_of_systemd() -> socket.socket | None:
    """Return the socket that systemd listens on for us: what comes while we restart waits there."""
    is_for_us = os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1"
    return socket.socket(fileno=FIRST_FD_OF_SYSTEMD) if is_for_us else None


def listening_socket() -> socket.socket:
    """Return a socket at HOST and PORT of the environment, or end with a sentence if nothing can listen there."""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        sys.exit(f"LK does not start: PORT={port} is not a port number from 1 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        sys.exit(f"LK does not start: it cannot listen on {host} port {port} ({error.strerror}); name another PORT.")
    return listening


def name_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def main(*wanted: str) -> int:
    listening = socket_of_systemd() or listening_socket()
    listening.listen(BACKLOG)
    supervisor = Supervisor()
    if supervisor.start(web_at(f"fd://{listening.fileno()}"), listening.fileno()):
        if wanted != ("web",):
            supervisor.start(worker())
            if os.environ.get("LK_METRICS_ADDRESS"):
                supervisor.start(metrics())
        say(f"LK is at {name_of(listening)} (Ctrl-C stops it)")
        supervisor.wait()
    return supervisor.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
