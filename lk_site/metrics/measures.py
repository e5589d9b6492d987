"""One metric: its name, what it says, and how a process adds to it."""

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.conf import settings

from lk_site.metrics import files


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, eq=False)
class Measure:
    """A metric. `options` go to the class of prometheus-client that is called like its kind.

    Adding costs nothing where metrics are off, and never raises: what cannot be counted is not.
    """

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    children: dict[tuple[str, ...], Any] = field(default_factory=dict, init=False, repr=False)

    def add(self, *labels: str, by: float = 1) -> None:
        self.change("inc", labels, by)

    def observe(self, *labels: str, value: float) -> None:
        self.change("observe", labels, value)

    def happened(self, *labels: str) -> None:
        """Let a gauge show this moment, in seconds since 1970."""
        self.change("set", labels, time.time())

    def change(self, method: str, labels: tuple[str, ...], value: float) -> None:
        if not settings.METRICS_ADDRESS or files.own.has_failed:
            return
        try:
            child = self.children.get(labels) or self.child(labels)
            getattr(child, method)(value)
        except OSError as error:
            files.own.fail(error)

    def child(self, labels: tuple[str, ...]) -> Any:
        """Return what prometheus-client counts under these labels with. Threads may both make it: it is the same."""
        whole = self.children.get(()) or self.made()
        child = self.children[labels] = whole.labels(*labels) if labels else whole
        return child

    def made(self) -> Any:
        client = files.client()
        whole = getattr(client, self.kind.capitalize())(
            self.name, self.says, self.labels, registry=None, **self.options
        )
        return self.children.setdefault((), whole)
