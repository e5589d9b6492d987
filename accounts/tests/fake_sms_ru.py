"""SMS.RU on a thread: answers as the real one does, failures included, and keeps what it was asked to send."""

import contextlib
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

API_ID = "F0000000-0000-0000-0000-000000000000"
WALK = {100: 102, 102: 103}  # what a message's status becomes each time somebody asks for it


@dataclass
class Kept:
    """A message that the fake took over."""

    sms_id: str
    phone: str
    text: str
    fields: dict[str, str]
    idempotency_key: str
    status: int = 100


class FakeSmsRu:
    """Scripts: `answers[phone]` are the statuses of its next sends, `whole` those of the next whole requests, `http`
    the next HTTP statuses, `delay_s` how long each answer takes, `swallow` how many answers are lost after the
    message was taken over."""

    def __init__(self) -> None:
        self.messages: list[Kept] = []
        self.requests: list[dict[str, str]] = []
        self.answers: defaultdict[str, deque[int]] = defaultdict(deque)
        self.whole: deque[int] = deque()
        self.http: deque[int] = deque()
        self.delay_s = 0.0
        self.swallow = 0
        self.refuses_repeats = False
        self.lock = threading.Lock()
        fake = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def texts_to(self, phone: str) -> list[str]:
        return [kept.text for kept in self.messages if kept.phone == phone]

    def answer(self, door: BaseHTTPRequestHandler) -> None:
        body = door.rfile.read(int(door.headers.get("Content-Length", 0))).decode()
        fields = {name: values[-1] for name, values in parse_qs(body, keep_blank_values=True).items()}
        time.sleep(self.delay_s)
        with self.lock:
            self.requests.append(fields)
            if self.http:
                door.send_error(self.http.popleft())
                return
            told = self.told(door.path, fields, door.headers.get("Idempotency-Key", ""))
            if self.swallow and door.path == "/sms/send":
                self.swallow -= 1
                door.connection.close()
                return
        with contextlib.suppress(OSError):  # who asked may have gone
            write(door, told)

    def told(self, path: str, fields: dict[str, str], key: str) -> dict[str, Any]:
        if fields.get("api_id") != API_ID:
            return failed(200)
        if self.whole:
            return failed(self.whole.popleft())
        if path == "/sms/send":
            return self.sent(fields, key)
        if path == "/sms/status":
            return self.status(fields)
        return {"status": "OK", "status_code": 100, "balance": 4122.56}

    def sent(self, fields: dict[str, str], key: str) -> dict[str, Any]:
        phones = fields.get("to", "").split(",")
        return {
            "status": "OK",
            "status_code": 100,
            "balance": 4122.56,
            "sms": {phone: self.one(phone, fields, key) for phone in phones},
        }

    def one(self, phone: str, fields: dict[str, str], key: str) -> dict[str, Any]:
        text = fields.get("msg", "")
        if self.answers[phone]:
            status = self.answers[phone].popleft()
        elif not text:
            status = 203
        elif not phone.isdigit():
            status = 202
        elif self.refuses_repeats and text in self.texts_to(phone):
            status = 231
        else:
            status = 100
        if status != 100:
            return failed(status)
        kept = Kept(f"000000-{10_000_000 + len(self.messages)}", phone, text, fields, key)
        self.messages.append(kept)
        return {"status": "OK", "status_code": 100, "sms_id": kept.sms_id}

    def status(self, fields: dict[str, str]) -> dict[str, Any]:
        known = {kept.sms_id: kept for kept in self.messages}
        asked = fields.get("sms_id", "").split(",")
        return {"status": "OK", "status_code": 100, "sms": {key: walked(known.get(key)) for key in asked}}


def walked(kept: Kept | None) -> dict[str, Any]:
    """Return a message's status and let it come one step nearer to its phone."""
    if kept is None:
        return {"status": "ERROR", "status_code": -1, "status_text": "…"}
    told = {"status": "OK", "status_code": kept.status, "cost": "0.50", "status_text": "…"}
    kept.status = WALK.get(kept.status, kept.status)
    return told


def failed(status: int) -> dict[str, Any]:
    return {"status": "ERROR", "status_code": status, "status_text": "…"}


def write(door: BaseHTTPRequestHandler, told: dict[str, Any]) -> None:
    body = json.dumps(told).encode()
    door.send_response(200)
    door.send_header("Content-Type", "application/json; charset=utf-8")
    door.send_header("Content-Length", str(len(body)))
    door.end_headers()
    door.wfile.write(body)


@contextmanager
def running() -> Iterator[FakeSmsRu]:
    """Serve the fake on a free port until the block ends."""
    fake = FakeSmsRu()
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.server.shutdown()
        fake.server.server_close()
        thread.join()
