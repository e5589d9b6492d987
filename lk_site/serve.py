"""One command for the web server and the outbox worker: started together, stopped together.

Run as `python -m lk_site.serve`. It needs only the standard library, so that it weighs little; the application itself
checks that it may start (`lk_site.startup`), and the worker follows once the web server answers. Linux ends the
children with their parent even after `kill -9`.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
GRACE_S = 15  # what the children may take to finish; gunicorn gives its requests 10
LOOK_S = 0.1
PR_SET_PDEATHSIG = 1

Child = subprocess.Popen[bytes]


def web(host: str, port: int, application: str = "lk_site.wsgi:application") -> list[str]:
    """Return the command of the web server: gthread 2 × 4, as measured; LK_WORKERS and LK_THREADS change it."""
    return [
        *(sys.executable, "-m", "gunicorn", application),
        *("--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"),
        *("--worker-class", "gthread"),
        *("--workers", os.environ.get("LK_WORKERS", "2")),
        *("--threads", os.environ.get("LK_THREADS", "4")),
        *("--graceful-timeout", "10"),
        *("--forwarded-allow-ips", ""),  # the application alone decides whom it believes
        *("--log-level", "warning"),
        "--preload",
        "--no-control-socket",
    ]


def worker() -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), "worker"]


class Supervisor:
    """Starts children and stays until one of them ends or somebody asks to stop; then ends them all."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.is_asked_to_stop = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_asked)

    def _stop_asked(self, number: int, frame: FrameType | None) -> None:
        self.is_asked_to_stop = True

    @property
    def goes_on(self) -> bool:
        return not self.is_asked_to_stop and all(child.poll() is None for child in self.children)

    def start(self, command: Sequence[str]) -> None:
        """Start a child in a session of its own: Ctrl-C reaches only us, and we end it in order."""
        parent = os.getpid()
        self.children.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                preexec_fn=lambda: die_with(parent),
            )
        )

    def wait_until_it_answers(self, host: str, port: int) -> bool:
        """Return whether the address accepts connections before a child ends or somebody asks to stop."""
        while self.goes_on:
            if answers(host, port):
                return True
            time.sleep(LOOK_S)
        return False

    def wait(self) -> None:
        while self.goes_on:
            time.sleep(LOOK_S)

    def stop(self) -> int:
        """End all children, the last first, and return the exit status: 0 only if somebody asked for the end."""
        failed = next((child.returncode for child in self.children if child.poll() is not None), 0)
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
        end = time.monotonic() + GRACE_S
        for child in self.children:
            end_by(child, end)
        if self.is_asked_to_stop:
            return 0
        return failed if failed > 0 else 1


def die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we could bind ourselves to it
            os.kill(os.getpid(), signal.SIGTERM)


def end_by(child: Child, end: float) -> None:
    try:
        child.wait(max(0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def listening_address() -> tuple[str, int]:
    """Return HOST and PORT of the environment, or end with a sentence if nothing can listen there."""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        sys.exit(f"LK does not start: PORT={port} is not a port number from 1 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        sys.exit(f"LK does not start: it cannot listen on {host} port {port} ({error.strerror}); name another PORT.")
    return host, int(port)


def main() -> int:
    host, port = listening_address()
    supervisor = Supervisor()
    supervisor.start(web(host, port))
    if supervisor.wait_until_it_answers(host, port):
        supervisor.start(worker())
        name = f"[{host}]" if ":" in host else host
        sys.stdout.write(f"LK is at http://{name}:{port}/ (Ctrl-C stops it)\n")
        sys.stdout.flush()
        supervisor.wait()
    return supervisor.stop()


if __name__ == "__main__":
    sys.exit(main())
