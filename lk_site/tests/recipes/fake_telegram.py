"""Telegram's Bot API on a thread, as far as a bot that polls needs it: getMe, getUpdates, sendMessage.

It speaks as the real one (https://core.telegram.org/bots/api): the token stands in the path, parameters come in the
query, as a form or as JSON, answers are `{"ok": …}`, updates are kept until a higher offset is asked for, and of two
that poll the older is told to go.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # the example of Telegram's documentation
TEXT_AT_MOST, UPDATES_AT_MOST = 4096, 100
BOT = {"id": 110201543, "is_bot": True, "first_name": "LK", "username": "lk_bot"}


class Refused(Exception):
    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.answer = {"ok": False, "error_code": code, "description": description}
        if parameters:
            self.answer["parameters"] = parameters


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: bots are killed while they poll."""


class FakeTelegram:
    """`chats` are those that have written to the bot; `refusals` what the next calls are refused with."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.updates: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.refusals: deque[Refused] = deque()
        self.chats: set[int] = set()
        self.poll = 0
        self.next_id = 870_000_001
        self.is_over = False
        fake = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fake.answer(self)

            def do_GET(self) -> None:
                fake.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.server = Server(("127.0.0.1", 0), Door)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    # --- what tests do

    def write(self, chat: int, **message: Any) -> None:
        """Let somebody write to the bot."""
        with self.changed:
            self.chats.add(chat)
            whole = {"message_id": len(self.updates) + 1, "date": int(time.time()), **message}
            whole |= {"chat": {"id": chat, "type": "private"}, "from": {"id": chat, "is_bot": False, "first_name": "А"}}
            self.updates.append({"update_id": self.next_id, "message": whole})
            self.next_id += 1
            self.changed.notify_all()

    def answered(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the bot has sent so many messages, and return them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.sent) >= count, timeout=60), f"only {self.sent}"
            return list(self.sent)

    # --- what the bot sees

    def answer(self, door: BaseHTTPRequestHandler) -> None:
        try:
            status, told = 200, {"ok": True, "result": self.result(door)}
        except Refused as refused:
            status, told = int(refused.answer["error_code"]), refused.answer  # type: ignore[call-overload]
        body = json.dumps(told, ensure_ascii=False).encode()
        with suppress(OSError):  # who asked may have gone
            door.send_response(status)
            door.send_header("Content-Type", "application/json")
            door.send_header("Content-Length", str(len(body)))
            door.end_headers()
            door.wfile.write(body)

    def result(self, door: BaseHTTPRequestHandler) -> Any:
        given = parameters(door)
        _, bot, *method = urlsplit(door.path).path.split("/")
        if not bot.startswith("bot") or len(method) != 1:
            raise Refused(404, "Not Found")
        if bot != f"bot{TOKEN}":
            raise Refused(401, "Unauthorized")
        self.asked.append(method[0])
        if self.refusals:
            raise self.refusals.popleft()
        known = {"getMe": lambda given: BOT, "getUpdates": self.get_updates, "sendMessage": self.send_message}
        if method[0] not in known:
            raise Refused(404, "Not Found: method not found")
        return known[method[0]](given)

    def get_updates(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        offset, timeout = int(given.get("offset", 0)), float(given.get("timeout", 0))
        limit = min(int(given.get("limit", UPDATES_AT_MOST)), UPDATES_AT_MOST)
        with self.changed:
            self.poll += 1
            mine = self.poll
            self.changed.notify_all()
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
            self.changed.wait_for(lambda: self.updates or self.poll != mine or self.is_over, timeout)
            if self.poll != mine:
                raise Refused(409, "Conflict: terminated by other getUpdates request")
            return self.updates[:limit]

    def send_message(self, given: dict[str, Any]) -> dict[str, Any]:
        text, chat = str(given.get("text", "")), given.get("chat_id")
        if not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if len(text) > TEXT_AT_MOST:
            raise Refused(400, "Bad Request: message is too long")
        if str(chat) not in {str(known) for known in self.chats}:
            raise Refused(400, "Bad Request: chat not found")
        with self.changed:
            self.sent.append({**given, "chat_id": int(str(chat))})
            self.changed.notify_all()
        return {"message_id": len(self.sent), "from": BOT, "chat": {"id": chat}, "date": int(time.time()), "text": text}


def parameters(door: BaseHTTPRequestHandler) -> dict[str, Any]:
    """Return the parameters of a call, from the query and from a form or JSON."""
    body = door.rfile.read(int(door.headers.get("Content-Length", 0)))
    given: dict[str, Any] = dict(parse_qsl(urlsplit(door.path).query))
    if door.headers.get("Content-Type", "").startswith("application/json") and body:
        return given | json.loads(body)
    return given | dict(parse_qsl(body.decode()))


@contextmanager
def running() -> Iterator[FakeTelegram]:
    """Serve the fake on a free port until the block ends."""
    fake = FakeTelegram()
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        with fake.changed:
            fake.is_over = True
            fake.changed.notify_all()
        fake.server.shutdown()
        fake.server.server_close()
        thread.join()
