"""The whole program as production runs it: server and worker as processes, behind a proxy that ends TLS."""

import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from accounts.tests.fake_sms_ru import API_ID, FakeSmsRu, running
from lk_site.serve import ROOT
from lk_site.tests.test_startup import PUBLIC, folder, migrated

__all__ = ["folder", "migrated"]
pytestmark = pytest.mark.long
PHONE = "79161234567"
PROXY = {"Host": "lk.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.5"}
PAGE = {"Referer": "https://lk.example/login/"}


@dataclass
class Served:
    """LK at a port; `log` is what it has written to its terminal."""

    port: int
    fake: FakeSmsRu
    path: Path
    process: "subprocess.Popen[bytes]"
    cookies: dict[str, "Morsel[str]"] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def ask(self, method: str, address: str, body: Any = None, **headers: str) -> tuple[int, HTTPMessage, bytes]:
        """Ask as a browser that keeps cookies does, through the proxy."""
        kept = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())}
        if token := self.cookies.get("__Host-lk-csrf"):
            kept["X-CSRFToken"] = token.value
        kind = {"Content-Type": "application/json"} if body is not None else {}
        data = None if body is None else json.dumps(body)
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, address, data, {**PROXY, **PAGE, **kind, **kept, **headers})
            response = connection.getresponse()
            for line in response.headers.get_all("Set-Cookie", []):
                self.cookies.update(SimpleCookie(line))
            return response.status, response.headers, response.read()

    def send(self, raw: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(raw)
            return connection.recv(1000)

    def log_in(self) -> tuple[int, HTTPMessage, bytes]:
        assert self.ask("POST", "/api/v1/auth/send-code", {"phone": PHONE})[0] == 202
        wait_until(lambda: bool(self.fake.texts_to(PHONE)))
        code = re.findall(r"@lk\.example #([0-9]{6})", self.fake.texts_to(PHONE)[-1])[0]
        return self.ask("POST", "/api/v1/auth/verify-code", {"phone": PHONE, "code": code})


def wait_until(is_so: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve the database of a folder, until the block ends."""
    path, port = folder / "log", free_port()
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("LK_", "DATABASE_", "PYTEST"))}
    with running() as fake, path.open("wb") as log:
        gateway = {"LK_SMS_RU_URL": fake.url, "LK_SMS_RU_API_ID": API_ID}
        places = {"LK_VAR_DIR": str(folder), "PORT": str(port), "LK_TRUSTED_HOPS": "1", "LK_WORKERS": "1"}
        command, environment = [sys.executable, "-m", "lk_site.serve"], {**ours, **PUBLIC, **gateway, **places}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: "LK is at" in path.read_text(encoding="utf-8"))
            yield Served(port, fake, path, process)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def served(migrated: Path) -> Iterator[Served]:
    with serving(migrated) as started:
        yield started


def test_every_cookie_belongs_to_this_host_and_goes_over_tls_only(served: Served) -> None:
    status, headers, _body = served.log_in()
    assert status == 200
    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert set(served.cookies) == {f"__Host-lk{name}" for name in ("", "-challenge", "-csrf", "-device")}
    for name, cookie in served.cookies.items():
        assert (cookie["secure"], cookie["path"], cookie["domain"], cookie["samesite"]) == (True, "/", "", "Lax"), name
        assert cookie["httponly"] or name == "__Host-lk-csrf" or cookie["max-age"] == "0"
    status, headers, body = served.ask("GET", "/api/v1/me/sessions")
    assert status == 200
    assert json.loads(body)["items"][0]["address"] == "203.0.113.5"


def test_plain_http_is_sent_to_tls(served: Served) -> None:
    status, headers, _body = served.ask("GET", "/login/", **{"X-Forwarded-Proto": "http"})
    assert (status, headers["Location"]) == (301, "https://lk.example/login/")


@pytest.mark.parametrize(
    "raw",
    [
        f"GET /?phone={PHONE} HTTP/9.9\r\n\r\n",
        f"GET / ?phone={PHONE} HTTP/1.1\r\n\r\n",
        f"BAD {PHONE}\r\n\r\n",
        f"GET /?phone={PHONE} HTTP/1.1\r\nHost: lk.example\r\nBad {PHONE}\r\n\r\n",
        f"GET /?phone={PHONE} HTTP/1.1\r\nHost: {PHONE}.example\r\n\r\n",
        f"GET /{PHONE}/?phone={PHONE} HTTP/1.1\r\nHost: lk.example\r\nReferer: /{PHONE}\r\n\r\n",
        f"GET /?phone={PHONE}{'4' * 5000} HTTP/1.1\r\nHost: lk.example\r\n\r\n",
    ],
)
def test_what_cannot_be_read_leaves_nothing_of_it_in_the_log(served: Served, raw: str) -> None:
    assert served.send(raw.encode()).startswith((b"HTTP/1.1 4", b"HTTP/1.1 301"))
    lines = [line for line in served.log.splitlines() if not line.startswith("LK is at")]
    assert not [line for line in lines if PHONE in line or "?" in line or "127.0.0.1" in line]
    assert all(line.startswith("{") for line in lines), lines


def test_who_is_being_served_gets_his_answer_before_the_end(folder: Path) -> None:
    with serving(folder) as served, ThreadPoolExecutor(1) as pool:
        busy = sqlite3.connect(folder / "lk.sqlite3", isolation_level=None)
        busy.execute("BEGIN IMMEDIATE")
        asked = pool.submit(served.ask, "POST", "/api/v1/auth/send-code", {"phone": PHONE})
        time.sleep(1)
        served.process.terminate()
        time.sleep(1)
        busy.execute("ROLLBACK")
        busy.close()
        assert asked.result()[0] == 202
        assert served.process.wait(10) == 0
        lines = [line for line in served.log.splitlines() if "request" in line]
        assert json.loads(lines[-1])["status"] == 202
