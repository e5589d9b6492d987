"""What Prometheus asks: everything that processes of this machine have counted, and gauges read at that moment.

It listens beside the site and in a process of its own (`manage.py metrics`), because it is asked most urgently when the
others hang: a thread of the worker would be silent with it, and a machine that runs no worker would say nothing.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from http.server import ThreadingHTTPServer
from socket import AF_INET, AF_INET6

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import MetricsHandler
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from accounts.services.readings import READINGS
from lk_site.metrics import Kind, Measure, files

log = logging.getLogger("lk.metrics")

TALK_S = 10  # what an asker may take to say what he wants
asking = (
    threading.Lock()
)  # who asks meanwhile waits: the answer is the same, and one connection to the database is enough

DATABASE_UP = Measure("lk_database_up", Kind.GAUGE, "1 if the database answered just now.")
READINGS_BROKEN = Measure("lk_readings_broken", Kind.GAUGE, "Readings of the database that failed just now.")
MEMORY = Measure(
    "lk_resident_memory_bytes",
    Kind.GAUGE,
    "Memory of the processes of a kind; what they share is counted for each.",
    ("kind",),
)
OPEN_FILES = Measure("lk_open_files", Kind.GAUGE, "Open files and connections of the processes of a kind.", ("kind",))
COUNTING = Measure("lk_counting_processes", Kind.GAUGE, "Processes of a kind, on this machine, that count.", ("kind",))
LOOKED_AT = (DATABASE_UP, READINGS_BROKEN, MEMORY, OPEN_FILES, COUNTING)
OF_PROCESS = {"process_resident_memory_bytes": MEMORY, "process_open_fds": OPEN_FILES}


class Counted(Collector):
    """What was counted, and the processes that count."""

    def collect(self) -> Iterable[Metric]:
        alive = files.gather()
        yield from MultiProcessCollector(None, str(settings.METRICS_DIR)).collect()
        yield from described(of_processes(alive))


class Readings(Collector):
    """What the database says."""

    def collect(self) -> Iterable[Metric]:
        with asking:
            try:
                yield from described(readings())
            finally:
                connections.close_all()  # of this thread, which ends with its answer


Sample = tuple[Measure, tuple[str, ...], float]


def of_processes(alive: list[files.Living]) -> Iterator[Sample]:
    """Yield count, memory and open files by kind of process; only of those whose pids mean something here."""
    sums: defaultdict[tuple[Measure, str], float] = defaultdict(float)
    for process in alive:
        sums[COUNTING, process.kind] += 1
        for name, value in samples_of(process):
            sums[OF_PROCESS[name], process.kind] += value
    for (measure, kind), value in sums.items():
        yield measure, (kind,), value


def samples_of(process: files.Living) -> Iterator[tuple[str, float]]:
    if process.place != files.place():
        return
    for metric in ProcessCollector(pid=lambda: process.pid, registry=None).collect():
        for sample in metric.samples:
            if sample.name in OF_PROCESS:
                yield sample.name, sample.value


def readings() -> Iterator[Sample]:
    """Yield every reading that succeeds; one that fails takes none of the others along."""
    now, is_up, broken = timezone.now(), True, 0
    for read in READINGS:
        if not is_up:
            broken += 1
            continue
        try:
            yield from list(read(now))
        except (DatabaseError, InterfaceError) as error:
            log.error("not read: %s (%s)", read.__name__, type(error).__name__)
            is_up, broken = answers_now(), broken + 1
        except Exception:
            log.exception("not read: %s", read.__name__)
            broken += 1
    yield DATABASE_UP, (), float(is_up)
    yield READINGS_BROKEN, (), broken


def answers_now() -> bool:
    """Tell whether the database is there at all, or only one reading broke."""
    connection = connections["default"]
    try:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except (DatabaseError, InterfaceError):
        return False
    return True


def described(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Yield samples with their metrics' names and sentences, as prometheus-client writes them."""
    families: dict[Measure, CounterMetricFamily | GaugeMetricFamily] = {}
    for measure, labels, value in samples:
        if measure not in families:
            family = CounterMetricFamily if measure.kind == Kind.COUNTER else GaugeMetricFamily
            families[measure] = family(measure.name, measure.says, labels=measure.labels)
        families[measure].add_metric(labels, value)
    yield from families.values()


def registry() -> CollectorRegistry:
    made = CollectorRegistry(auto_describe=False)
    made.register(Counted())
    made.register(Readings())
    return made


class Handler(MetricsHandler):
    timeout = TALK_S
    registry = registry()

    def version_string(self) -> str:
        return "LK"


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        """Listen at host and port. Raises OSError where that cannot be."""
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, Handler)
