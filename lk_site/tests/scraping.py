"""Metrics switched on for a test, in a folder of its own, and asked for as Prometheus asks."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from lk_site.metrics import COUNTED, files
from lk_site.metrics.listener import Listener


class Scrape:
    """The listener at a port of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/metrics"

    def text(self) -> str:
        with urlopen(self.url, timeout=10) as answer:
            return str(answer.read().decode())

    def samples(self) -> dict[tuple[str, ...], float]:
        """Return what is told now: (name, values of labels in the order of their names) -> value."""
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }


def begin_anew(folder: Path) -> None:
    """Let this process count as one that has just begun, in a folder of its own."""
    for measure in COUNTED:
        measure.children.clear()
    if hasattr(values.ValueClass, "close_all_files"):
        values.ValueClass.close_all_files()
    if files.own.lock is not None:
        os.close(files.own.lock)
    kind = files.own.kind
    files.own.__init__()  # type: ignore[misc]
    files.own.kind = kind
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


@contextmanager
def listening() -> Iterator[Scrape]:
    with Listener(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Scrape(listener.server_address[1])
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture
def scrape(settings: Any, tmp_path: Path) -> Iterator[Scrape]:
    settings.METRICS_ADDRESS, settings.METRICS_DIR = ("127.0.0.1", 1), tmp_path / "metrics"
    begin_anew(settings.METRICS_DIR)
    with listening() as scraped:
        yield scraped
    begin_anew(settings.METRICS_DIR)
