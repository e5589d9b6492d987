"""The real server, renewed again and again while people ask: no request fails."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from lk_site.serve import ROOT
from lk_site.tests.test_in_public import free_port, wait_until
from lk_site.tests.test_startup import folder, migrated

__all__ = ["folder", "migrated"]
PATHS = ("/readyz", "/login/", "/static/css/app.css")
ASKERS = 6


class Renewable:
    """LK as one's own machine runs it, its log, and those who ask without a pause."""

    def __init__(self, folder: Path) -> None:
        self.port, self.path = free_port(), folder / "log"
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("LK_", "DATABASE_"))}
        places = {"LK_LOCAL": "1", "LK_VAR_DIR": str(folder), "PORT": str(self.port), "LK_LIMITS_SCALE": "10000"}
        self.environment = {**ours, **places}
        self.answers: Counter[str] = Counter()
        self.is_over = False
        with self.path.open("wb") as log:
            command = [sys.executable, "-m", "lk_site.serve", "web"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        wait_until(lambda: "LK is at" in self.log)
        self.askers = [threading.Thread(target=self.ask_on, args=[PATHS[each % 3]]) for each in range(ASKERS)]

    @property
    def log(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def ask_on(self, path: str) -> None:
        while not self.is_over:
            try:
                self.answers[self.ask(path)] += 1
            except Exception as error:  # whatever it is, it is what a person would have met
                self.answers[f"{type(error).__name__} {error}"] += 1

    def ask(self, path: str) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        response.read()
        connection.close()
        return str(response.status)

    def ask_without_pause(self) -> None:
        for asker in self.askers:
            asker.start()

    def renew(self, says: str) -> None:
        before = self.log.count(says)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.count(says) > before, seconds=90)

    def end(self) -> None:
        self.is_over = True
        for asker in self.askers:
            asker.join(40)
        self.process.terminate()
        self.process.wait(40)


@pytest.fixture
def served(folder: Path) -> Iterator[Renewable]:
    started = Renewable(folder)
    started.ask_without_pause()
    yield started
    started.end()


@pytest.mark.long
def test_no_request_fails_while_the_server_is_renewed(served: Renewable):
    for _time in range(3):
        served.renew("LK is renewed")
        asked = served.answers.total()
        wait_until(lambda: served.answers.total() > asked + 10 * ASKERS)  # noqa: B023
    served.end()
    assert set(served.answers) == {"200"}
    assert served.answers["200"] > 50


@pytest.mark.long
def test_no_request_fails_where_what_is_new_does_not_start(served: Renewable, folder: Path):
    (folder / "keys.json").chmod(0o644)
    served.renew("LK was not renewed")
    assert "chmod 600" in served.log
    (folder / "keys.json").chmod(0o600)
    served.renew("LK is renewed")
    served.end()
    assert set(served.answers) == {"200"}
