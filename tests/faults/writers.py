"""A load of people who write through nginx, each until he is answered, and remember what they were told."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from deploy.tests.nginx import HOST, Front
from faults.oracle import Told
from faults.people import Person

PATIENCE_S = 15  # how long a browser waits for an answer here
SLOW_S = 5  # an answer that took longer is none: the service is not back yet
PAUSE_S = 0.05
AGAIN_S = 0.2
GIVE_UP_S = 60
IN_PROGRESS = "idempotency_key_in_progress"


class Unexpected(AssertionError):
    """An answer that no fault excuses."""


@dataclass
class Answer:
    """An answer, or `status` 0 where there was none."""

    status: int
    headers: http.client.HTTPMessage | None = None
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_done(self) -> bool:
        return self.status // 100 in (2, 3)

    @property
    def is_excused(self) -> bool:
        """Whether a client that sends the same again does right: no answer, 503 that says when, a key in progress."""
        waits = self.headers is not None and self.headers["Retry-After"] is not None
        if self.status == 409:
            return waits and self.json["code"] == IN_PROGRESS
        return self.status == 0 or (self.status == 503 and waits)


class Browser:
    """One person's browser, on a connection that it opens again when it breaks."""

    def __init__(self, front: Front, person: Person, source: str) -> None:
        self.front, self.person, self.source = front, person, source
        self.connection: http.client.HTTPSConnection | None = None
        cookies = {"": person.session, "-csrf": person.csrf, "-device": person.device}
        self.headers = {
            "Host": HOST,
            "Cookie": "; ".join(f"__Host-lk{name}={value}" for name, value in cookies.items()),
            "Referer": f"https://{HOST}/",
            "X-CSRFToken": person.csrf,
        }

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            if self.connection is None:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.front.tls, timeout=PATIENCE_S)
                self.connection.sock = self.front.open(source=self.source)
                self.connection.sock.settimeout(PATIENCE_S)
            self.connection.request(method, path, body, {**self.headers, **own})
            response = self.connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            return Answer(0)
        if answer.headers is not None and answer.headers["Connection"] == "close":
            self.close()
        return answer

    def send(self, method: str, path: str, body: Any, **headers: str) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content_Type": "application/json"}
        return self.ask(method, f"/api/v1{path}", data, **kind, **headers)

    def submit(self, path: str, **fields: str) -> Answer:
        """Post a form of a page."""
        data = urlencode({"csrfmiddlewaretoken": self.person.csrf, **fields}).encode()
        return self.ask("POST", path, data, Content_Type="application/x-www-form-urlencoded")

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Load:
    """Writers side by side; `told` is what was acknowledged, `last_trouble` when somebody last got no good answer."""

    def __init__(self, front: Front, people: list[Person], writers: int) -> None:
        self.front, self.writers, self.lock = front, writers, threading.Lock()
        self.told: list[Told] = []
        self.browsers: list[Browser] = []
        self.statuses: Counter[int] = Counter()
        self.acknowledged = self.saved_unseen = 0
        self.last_trouble = 0.0
        self.unexpected: list[str] = []
        self.is_over, self.is_abandoned = threading.Event(), threading.Event()
        shares = [people[number::writers] for number in range(writers)]
        self.threads = [threading.Thread(target=self.write_on, args=each) for each in enumerate(shares)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Let every writer come to the end of what he has begun."""
        self.is_over.set()
        for thread in self.threads:
            thread.join(GIVE_UP_S + PATIENCE_S)
        for browser in self.browsers:
            browser.close()

    def browser(self, person: Person, source: str) -> Browser:
        """Return a browser that is closed with the load."""
        self.browsers.append(Browser(self.front, person, source))
        return self.browsers[-1]

    def write_on(self, number: int, people: list[Person]) -> None:
        browsers = [self.browser(person, f"127.0.4.{number + 1}") for person in people]
        turn = 0
        try:
            while not self.is_over.is_set():
                self.live_through(browsers[turn % len(browsers)], by_page=turn % 4 == 3)
                turn += 1
        except Exception as error:  # whatever it is, it is what a person would have met
            self.unexpected.append(f"{type(error).__name__}: {error}")

    def live_through(self, browser: Browser, *, by_page: bool) -> None:
        """Make a deal, change it, move it and note something; stop in between where the load is over."""
        told = Told(f"Москва, улица {uuid4().hex}, 1", price=f"{random.randrange(10**6, 10**7)}.00")
        with self.lock:
            self.told.append(told)
        (self.make_on_page if by_page else self.make)(browser, told)
        for change in (self.change, self.move, self.note, self.change):
            if self.is_over.wait(PAUSE_S):
                return
            change(browser, told)

    def make(self, browser: Browser, told: Told) -> None:
        body = {"client_phone": new_phone(), "property_address": told.address, "price": told.price}
        deal = self.until_done(lambda key: browser.send("POST", "/deals/", body, Idempotency_Key=key)).json
        told.id, told.version = deal["id"], deal["version"]

    def make_on_page(self, browser: Browser, told: Told) -> None:
        typed = {"client_phone": new_phone(), "property_address": told.address, "price": told.price, "kind": "sale"}
        answer = self.until_done(lambda key: browser.submit("/deals/new/", form_key=key, **typed))
        assert answer.headers is not None
        told.id, told.version = answer.headers["Location"].strip("/").rpartition("/")[2], 1

    def change(self, browser: Browser, told: Told) -> None:
        price = f"{random.randrange(10**6, 10**7)}.00"
        told.version = self.changed(browser, "PATCH", f"/deals/{told.id}", {"price": price}, told.version)
        told.price = price

    def move(self, browser: Browser, told: Told) -> None:
        told.version = self.changed(browser, "POST", f"/deals/{told.id}/stage-moves", {"to": "showing"}, told.version)
        told.stage = "showing"

    def changed(self, browser: Browser, method: str, path: str, body: Any, version: int) -> int:
        match = f'"{version}"'
        send = self.until_done(lambda key: browser.send(method, path, body, Idempotency_Key=key, If_Match=match))
        return int(send.json["version"])

    def note(self, browser: Browser, told: Told) -> None:
        text = f"Звонок {uuid4().hex}"
        self.until_done(
            lambda key: browser.send("POST", f"/deals/{told.id}/notes", {"text": text}, Idempotency_Key=key)
        )
        told.notes.append(text)

    def sender(self, ask: Callable[[int], Answer]) -> Callable[[int], Answer]:
        """Return what asks until it is acknowledged, as everybody of this load does."""
        return lambda number: self.until_done(lambda _key: ask(number))

    def until_done(self, ask: Callable[[str], Answer]) -> Answer:
        """Send the same with the same key until it is acknowledged. Raises Unexpected."""
        key, end, was_refused = str(uuid4()), time.monotonic() + GIVE_UP_S, False
        while True:
            began = time.monotonic()
            answer = ask(key)
            self.count(answer, began)
            if answer.is_done:
                with self.lock:
                    self.acknowledged += 1
                    self.saved_unseen += was_refused and is_replay(answer)
                return answer
            if not answer.is_excused or time.monotonic() > end or self.is_abandoned.is_set():
                raise Unexpected(f"{answer.status} {answer.body[:300]!r}")
            was_refused = was_refused or answer.status == 503
            time.sleep(AGAIN_S)

    def count(self, answer: Answer, began: float) -> None:
        """Count an answer, and remember when somebody got none in time."""
        now = time.monotonic()
        with self.lock:
            self.statuses[answer.status] += 1
            if answer.status in (0, 503) or now - began > SLOW_S:
                self.last_trouble = now


def is_replay(answer: Answer) -> bool:
    return answer.headers is not None and answer.headers["Idempotent-Replayed"] == "true"


def new_phone() -> str:
    return f"79{random.randrange(10**9):09}"
