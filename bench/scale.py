"""What a fleet holds: measured service times in a small simulation of queues, and the knee where waiting begins.

`python -m bench.scale` prints it; `… keep` writes it into docs/scale.md as well. Requests arrive at random (Poisson) in
the mix of a working day, take a core of a web machine for their application time, and then a core of the database for
the statements; each station serves in the order of arrival. Times vary around what was measured (log-normal).
"""

import heapq
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.rows import CHECK_CODE, CREATE, DETAIL, HTML_CARD, HTML_LIST, LIST, SEARCH, SEND_CODE
from lk_site.serve import ROOT

MEASURED = ROOT / "bench" / "measured.json"  # kept by bench.report
PAGE = ROOT / "docs" / "scale.md"
PLACE = re.compile(r"(?<=<!-- bench.scale -->\n).*?(?=<!-- end -->)", re.S)
MIX = {HTML_LIST: 32, HTML_CARD: 30, LIST: 10, DETAIL: 10, SEARCH: 8, CREATE: 8, SEND_CODE: 1, CHECK_CODE: 1}
WRITES = (CREATE, SEND_CODE, CHECK_CODE, SEARCH)  # a search for a number leaves its event
SPREAD = 0.5  # sigma of the log-normal distribution: the slowest percent takes three times the middle
REQUESTS, WARM_UP = 40_000, 4_000
SHARES = (0.2, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)  # of what the busiest station can take at all
KNEE = 2.0  # p99 over that of an idle fleet
SECONDS_BETWEEN = 20  # of one agent who works: he reads a page before he asks for the next


@dataclass(frozen=True)
class Fleet:
    """Cores of the web machines together, and of the primary; none where the two share one machine."""

    name: str
    web_cores: int
    database_cores: int | None


FLEETS = (
    Fleet("one machine of two cores, database included", 2, None),
    Fleet("two web machines of two cores, a primary of two", 4, 2),
    Fleet("ten web machines of two cores, a primary of eight", 20, 8),
    Fleet("forty web machines of two cores, a primary of eight", 80, 8),
)


@dataclass(frozen=True)
class Point:
    """A fleet at one rate: requests a second, how busy its stations are (0 to 1), milliseconds to the answer."""

    rate: float
    web_busy: float
    database_busy: float
    p50_ms: float
    p99_ms: float


Times = dict[str, tuple[float, float]]  # seconds of application and database, by kind of request


def main(wish: str = "") -> None:
    text = "\n".join(told(times_of(json.loads(MEASURED.read_text()))))
    print(text)
    if wish == "keep":
        PAGE.write_text(PLACE.sub(lambda _: f"\n{text}\n\n", PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def times_of(measured: dict[str, dict[str, float]]) -> Times:
    return {name: (measured[name]["cpu_ms"] / 1000, measured[name]["db_ms"] / 1000) for name in MIX}


def told(times: Times) -> Iterator[str]:
    """Yield the lines of the tables: the mean request, each fleet at growing load, and the knees."""
    web, database = mean(times)
    writes = sum(share for name, share in MIX.items() if name in WRITES) / sum(MIX.values())
    yield (
        f"The mean request of the mix takes {1000 * web:.2f} ms of application and {1000 * database:.2f} ms of "
        f"database; {writes:.0%} of all write."
    )
    knees = []
    for fleet in FLEETS:
        points = [simulated(fleet, times, share * most(fleet, times)) for share in SHARES]
        knees.append((fleet, knee_of(points)))
        yield from ["", f"**{fleet.name.capitalize()}**", ""]
        yield "| requests a second | web busy | database busy | p50 ms | p99 ms |"
        yield "|---" * 5 + "|"
        for at in points:
            yield f"| {at.rate:.0f} | {at.web_busy:.0%} | {at.database_busy:.0%} | {at.p50_ms:.1f} | {at.p99_ms:.1f} |"
    yield from ["", "| knee | requests a second | agents at work at once | busiest |", "|---|---|---|---|"]
    for fleet, at in knees:
        busiest = "web" if at.web_busy >= at.database_busy else "database"
        yield f"| {fleet.name} | {at.rate:.0f} | {at.rate * SECONDS_BETWEEN:,.0f} | {busiest} |"


def mean(times: Times) -> tuple[float, float]:
    """Return the seconds of application and database of the mean request."""
    whole = sum(MIX.values())
    web = sum(share * times[name][0] for name, share in MIX.items()) / whole
    return web, sum(share * times[name][1] for name, share in MIX.items()) / whole


def most(fleet: Fleet, times: Times) -> float:
    """Return the requests a second at which the first station would be busy all the time."""
    web, database = mean(times)
    if fleet.database_cores is None:
        return fleet.web_cores / (web + database)
    return min(fleet.web_cores / web, fleet.database_cores / database)


def knee_of(points: Sequence[Point]) -> Point:
    """Return the last point at which the slowest percent waits no longer than twice as on an idle fleet."""
    return [point for point in points if point.p99_ms <= KNEE * points[0].p99_ms][-1]


def simulated(fleet: Fleet, times: Times, rate: float) -> Point:
    """Return how a fleet does at this rate."""
    rng = random.Random(1)  # nosec B311: the same requests at every rate
    kinds, weights = list(MIX), list(MIX.values())
    web, database = Station(fleet.web_cores), Station(fleet.database_cores or fleet.web_cores)
    arrived, now = [], 0.0
    for kind in rng.choices(kinds, weights, k=REQUESTS):
        now += rng.expovariate(rate)
        factor = rng.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)  # its mean is 1
        arrived.append((now, times[kind][0] * factor, times[kind][1] * factor))
    if fleet.database_cores is None:
        left = [(web.leaves(at, own + asked), at) for at, own, asked in arrived]
        database = web
    else:
        through = sorted((web.leaves(at, own), at, asked) for at, own, asked in arrived)
        left = [(database.leaves(at, asked), began) for at, began, asked in through]
    waited = sorted(1000 * (end - began) for end, began in left[WARM_UP:])
    p50, p99 = (waited[int(len(waited) * share)] for share in (0.5, 0.99))
    return Point(rate, web.busy_s / now / web.cores, database.busy_s / now / database.cores, p50, p99)


class Station:
    """Cores that serve in the order of arrival."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.free_at = [0.0] * cores
        self.busy_s = 0.0

    def leaves(self, at: float, takes: float) -> float:
        """Return when a request that arrives then, after all earlier ones, and takes so long is done."""
        done = max(at, self.free_at[0]) + takes
        heapq.heapreplace(self.free_at, done)
        self.busy_s += takes
        return done


if __name__ == "__main__":
    main(*sys.argv[1:])
