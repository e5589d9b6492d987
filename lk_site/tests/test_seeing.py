"""Nobody's data after a walk through every route, with everything that sees switched on (security.md 3.5 and 5.5)."""

import json
import logging
from typing import Any

import pytest

from lk_site.logs import JsonFormatter
from lk_site.tests.access_table import allowed
from lk_site.tests.asking import BODIES, ask
from lk_site.tests.marks import Marks
from lk_site.tests.scraping import Scrape, scrape
from lk_site.tests.test_tracing import Collector, about, collector, sent
from lk_site.tests.walking import Route, World, undone

__all__ = ["collector", "scrape"]
WALKERS = ("anna", "vera", "staff", "nobody")


def typed(body: Any) -> set[str]:
    """Return every text that the routes are asked with and that is somebody's: a phone, a name, what was written."""
    parts = body.values() if isinstance(body, dict) else body if isinstance(body, list) else [body]
    if parts != [body]:
        return {text for part in parts for text in typed(part)}
    is_ours = not isinstance(body, str) or (body.isascii() and not body.startswith("79"))
    return set() if is_ours else {body}


def secrets_of(world: World) -> set[str]:
    """Return phones, names and texts of the world: those of its people, and those that are typed on the way."""
    people = {text for user in world.users.values() for text in (user.phone, user.name, user.login) if text}
    phones = [row.phone for row in world.client.phones.all()]
    assert people
    assert phones
    return {*people, *phones, "Смотрели дважды", *typed(BODIES)}


def ids_of(world: World) -> set[str]:
    return {str(thing.pk) for thing in (*world.users.values(), *world.things.values()) if len(str(thing.pk)) > 8}


def astray(route: Route) -> str:
    """Return the address of a route with nothing in its holes, as whoever mistypes it asks."""
    return route.address().replace("<", "").replace(">", "")


@pytest.mark.django_db
def test_a_walk_through_every_route_leaves_no_personal_data_in_metrics_logs_and_traces(
    world: World, scrape: Scrape, collector: Collector, caplog: Any
):
    caplog.set_level(logging.INFO)
    marks = Marks()
    phone, word = marks.phone("phone"), marks.word("word")
    headers = {"User-Agent": word, "Referer": f"http://testserver/?q={phone}", "X-Request-ID": word}
    for route in allowed():
        for who in WALKERS:
            with undone():
                ask(route, world, who)
        with undone():
            world.browser("anna").generic(
                route.method, f"{astray(route)}?q={phone}&name={word}", headers=headers, REMOTE_ADDR="192.0.2.99"
            )
    sent()
    lines = [JsonFormatter().format(record) for record in caplog.records]
    spans = "".join(str(one) for one in collector.received) + repr([about(span) for span in collector.spans])
    told = {"metrics": scrape.text(), "logs": "\n".join(lines), "traces": spans}
    counted = [labels for labels in scrape.samples() if labels[0] == "lk_requests_total"]
    assert len({labels[2] for labels in counted}) > 150, "each by its route"
    assert len([line for line in lines if json.loads(line)["message"] == "request"]) > 5 * 150
    for where, text in told.items():
        assert marks.found_in(text) == set(), where
        assert [secret for secret in secrets_of(world) if secret in text] == [], where
        assert [address for address in ("127.0.0.1", "192.0.2.99") if address in text] == [], where
    for where in ("metrics", "traces"):  # a line of the log names who asked by an id
        assert [pk for pk in ids_of(world) if pk in told[where]] == [], where


def test_the_search_would_find_what_is_typed():
    assert typed({"a": ["79031112233", "Другое Имя", "sale", 5, True], "b": {"c": "Арбат"}}) == {
        "79031112233",
        "Другое Имя",
        "Арбат",
    }
