"""A receiver of webhooks on a thread: a real HTTP server on this machine, which answers as it is told."""

import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def opened(self, secret: str) -> dict[str, Any]:
        """Return the payload if the reference library says that this secret signed it, and lately."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(frozen=True)
class Told:
    """What to answer: a status, headers and a body."""

    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"


class Receiver:
    """Answers are `next` one by one, then `always`. While `hangs` is set no answer comes at all."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.next: deque[Told] = deque()
        self.always = Told()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = threading.Semaphore(0)  # released once for each request
        receiver = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.answer(self)

            def do_GET(self) -> None:
                receiver.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    def answer(self, door: BaseHTTPRequestHandler) -> None:
        body = door.rfile.read(int(door.headers.get("Content-Length", 0)))
        self.received.append(Received(door.path, {name.lower(): value for name, value in door.headers.items()}, body))
        told = self.next.popleft() if self.next else self.always
        self.asked.release()
        self.may_answer.wait()
        with suppress(OSError):  # who asked may have gone
            write(door, told)


def write(door: BaseHTTPRequestHandler, told: Told) -> None:
    door.send_response(told.code)
    for name, value in {"Content-Length": str(len(told.body)), **told.headers}.items():
        door.send_header(name, value)
    door.end_headers()
    door.wfile.write(told.body)


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Serve a receiver on a free port until the block ends; with a context of `ssl`, over TLS."""
    receiver = Receiver()
    if tls is not None:
        receiver.server.socket = tls.wrap_socket(receiver.server.socket, server_side=True)
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()
