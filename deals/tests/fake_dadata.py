"""DaData on a thread: answers as the real one does, failures included, and keeps what it was asked.

`python -m deals.tests.fake_dadata 8200` serves it for a local run: `make run LK_DADATA_URL=http://127.0.0.1:8200`.
"""

import contextlib
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

KEY = "0123456789abcdef0123456789abcdef01234567"
ROOT = "/suggestions/api/4_1/rs"
QUERY_AT_MOST, COUNT, COUNT_AT_MOST = 300, 10, 20
MISSING = {401: "API key is missing", 403: "Invalid API key", 405: "Method not allowed", 413: "Query is too long"}

STREETS = (
    ("г Москва, ул Тверская", "125009"),
    ("г Москва, ул Тверская-Ямская 1-я", "125047"),
    ("г Москва, Тверской б-р", "125009"),
    ("г Москва, ул Лесная", "125047"),
    ("г Москва, ул Хабаровская", "107589"),
    ("Респ Татарстан, г Казань, ул Баумана", "420111"),
    ("г Санкт-Петербург, Невский пр-кт", "191186"),
)
COMPANIES: dict[str, dict[str, Any]] = {
    "7707083893": {
        "kpp": "773601001",
        "ogrn": "1027700132195",
        "type": "LEGAL",
        "name": {
            "full_with_opf": 'ПУБЛИЧНОЕ АКЦИОНЕРНОЕ ОБЩЕСТВО "СБЕРБАНК РОССИИ"',
            "short_with_opf": "ПАО СБЕРБАНК",
        },
        "address": {
            "value": "г Москва, ул Вавилова, д 19",
            "unrestricted_value": "117312, г Москва, ул Вавилова, д 19",
        },
        "state": {"status": "ACTIVE", "registration_date": 677376000000},
    },
    "784806113663": {
        "ogrn": "304784810200012",
        "type": "INDIVIDUAL",
        "name": {"full_with_opf": "Индивидуальный предприниматель Иванов Пётр Ильич", "short_with_opf": None},
        "address": None,
        "state": {"status": "LIQUIDATED", "registration_date": 1081641600000},
    },
}


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    body: dict[str, Any]
    authorization: str


class FakeDaData:
    """Scripts: `http` are the next HTTP statuses, `bodies` the next whole answers, `delays_s` how long the next ones
    take, `key` the key that is known, None for any."""

    def __init__(self, port: int = 0, key: str | None = KEY) -> None:
        self.asked: list[Asked] = []
        self.http: deque[int] = deque()
        self.bodies: deque[bytes] = deque()
        self.delays_s: deque[float] = deque()
        self.key = key
        self.lock = threading.Lock()
        fake = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Door)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def queries(self) -> list[str]:
        return [asked.body["query"] for asked in self.asked]

    def answer(self, door: BaseHTTPRequestHandler) -> None:
        body = json.loads(door.rfile.read(int(door.headers.get("Content-Length", 0))))
        with self.lock:
            self.asked.append(Asked(door.path, body, door.headers.get("Authorization", "")))
            delay_s = self.delays_s.popleft() if self.delays_s else 0
            status, told = self.told(door, body)
        time.sleep(delay_s)
        with contextlib.suppress(OSError):  # who asked may have gone
            write(door, status, told)

    def told(self, door: BaseHTTPRequestHandler, body: dict[str, Any]) -> tuple[int, bytes]:
        """Return status and body of the next answer."""
        if self.http:
            return failed(self.http.popleft())
        if self.bodies:
            return 200, self.bodies.popleft()
        if status := self.refusal(door, body):
            return failed(status)
        known = {f"{ROOT}/suggest/address": addresses, f"{ROOT}/findById/party": parties}
        return 200, json.dumps({"suggestions": known[door.path](body)}, ensure_ascii=False).encode()

    def refusal(self, door: BaseHTTPRequestHandler, body: dict[str, Any]) -> int:
        """Return the status with which the real one refuses such a request, or 0."""
        if door.path not in (f"{ROOT}/suggest/address", f"{ROOT}/findById/party"):
            return 404
        scheme, _, key = door.headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or not key:
            return 401
        if self.key not in (None, key):
            return 403
        if door.headers.get("Content-Type") != "application/json" or "query" not in body:
            return 400
        return 413 if len(body["query"]) > QUERY_AT_MOST else 0


def addresses(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the addresses in which every word of the query begins a word; a number becomes a house."""
    words = [word.strip(",.").casefold() for word in body["query"].split() if word.strip(",.")]
    names = [word for word in words if not word.isdigit()]
    houses = [f", д {word}" for word in words if word.isdigit()][:1]
    found = [street for street in STREETS if all(begins(street[0], name) for name in names)] if words else []
    made = [address(value + "".join(houses), postal) for value, postal in found]
    return made[: min(int(body.get("count", COUNT)), COUNT_AT_MOST)]


def begins(street: str, name: str) -> bool:
    return any(word.startswith(name) for word in street.casefold().replace(",", "").split())


def address(value: str, postal_code: str | None) -> dict[str, Any]:
    """Return one suggestion; of the real one's eighty members those that tell addresses apart."""
    fias_id = f"{crc32(value.encode()):08x}-ae4c-4a3a-8b7d-6f0c2f1f3d5e"
    return {
        "value": value,
        "unrestricted_value": f"{postal_code}, {value}",
        "data": {
            "postal_code": postal_code,
            "country": "Россия",
            "country_iso_code": "RU",
            "house_fias_id": None,
            "fias_id": fias_id,
            "fias_level": "7",
            "geo_lat": None,
            "geo_lon": None,
            "qc_geo": "5",
        },
    }


def parties(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the company with that INN, if it is known."""
    data = COMPANIES.get(body["query"])
    return (
        [{"value": name_of(data), "unrestricted_value": name_of(data), "data": full(body["query"], data)}]
        if data
        else []
    )


def name_of(data: dict[str, Any]) -> str:
    return str(data["name"]["short_with_opf"] or data["name"]["full_with_opf"])


def full(inn: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"inn": inn, "kpp": None, "branch_type": "MAIN", "branch_count": 0, "management": None, **data}


def failed(status: int) -> tuple[int, bytes]:
    """Return an error as the real one tells it."""
    told = {"family": "CLIENT_ERROR", "reason": "Forbidden", "message": MISSING.get(status, "…")}
    return status, json.dumps(told).encode()


def write(door: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    door.send_response(status)
    door.send_header("Content-Type", "application/json; charset=utf-8")
    door.send_header("Content-Length", str(len(body)))
    door.end_headers()
    door.wfile.write(body)


@contextmanager
def running() -> Iterator[FakeDaData]:
    """Serve the fake on a free port until the block ends."""
    fake = FakeDaData()
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.server.shutdown()
        fake.server.server_close()
        thread.join()


if __name__ == "__main__":
    served = FakeDaData(int(sys.argv[1]) if len(sys.argv) > 1 else 8200, key=None)
    sys.stdout.write(f"DaData, as far as it is faked here: {served.url}\n")
    with contextlib.suppress(KeyboardInterrupt):
        served.server.serve_forever()
