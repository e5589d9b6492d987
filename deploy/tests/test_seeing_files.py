"""Alerts and board ask for nothing that LK does not tell, and the page about them leaves none of it out."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings

from accounts.services.readings import READ
from lk_site.metrics import COUNTED, Kind
from lk_site.metrics.listener import LOOKED_AT

ALERTS = settings.BASE_DIR / "deploy" / "prometheus" / "alerts.yml"
BOARD = settings.BASE_DIR / "deploy" / "grafana" / "lk.json"
PAGE = (settings.BASE_DIR / "docs" / "seeing.md").read_text(encoding="utf-8")
MEASURES = {measure.name: measure for measure in (*COUNTED, *READ, *LOOKED_AT)}
OF_PROMETHEUS = {"job", "instance", "le"}  # labels that Prometheus or a histogram adds
OF_OTHERS = {"up", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"}

ASKED = re.compile(r"\b((?:lk|node)_\w+|up)\b(?:\{([^}]*)\})?")
NAMED_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED_BY = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(BOARD.read_text(encoding="utf-8"))["panels"])


def expressions() -> Iterator[tuple[str, str]]:
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def samples() -> dict[str, set[str]]:
    """Return the labels of each sample that Prometheus reads of us; a histogram has three."""
    found = {name: set(measure.labels) for name, measure in MEASURES.items() if measure.kind != Kind.HISTOGRAM}
    for name, measure in MEASURES.items():
        if measure.kind == Kind.HISTOGRAM:
            found |= {f"{name}_{part}": set(measure.labels) for part in ("bucket", "sum", "count")}
    return found


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_names_only_metrics_and_labels_that_exist(where: str, expression: str):
    known, labels = samples(), set(OF_PROMETHEUS)
    asked = ASKED.findall(expression)
    assert asked, where
    for name, matchers in asked:
        assert name in known or name in OF_OTHERS
        labels |= known.get(name, set())
        if name in known:
            assert set(NAMED_LABEL.findall(matchers)) <= known[name] | OF_PROMETHEUS
    grouped = {label.strip() for group in GROUPED_BY.findall(expression) for label in group.split(",")}
    assert grouped - {""} <= labels


def test_every_metric_is_on_the_board():
    shown = " ".join(target["expr"] for panel in panels() for target in panel.get("targets", ()))
    assert [name for name in MEASURES if not re.search(rf"\b{name}(_bucket|_count|_sum)?\b", shown)] == []


def test_panels_have_names_of_their_own_and_say_what_they_show():
    drawn = [panel for panel in panels() if panel["type"] != "row"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert len({panel["title"] for panel in drawn}) == len(drawn)
    assert all(panel["description"] for panel in drawn)


def test_alerts_have_names_of_their_own_and_say_what_to_do():
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "warn", "note")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


@pytest.mark.parametrize("name", MEASURES)
def test_the_page_explains_every_metric_with_its_labels(name: str):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` ")]
    for label in MEASURES[name].labels:
        assert f"`{label}`" in row


def test_the_page_explains_no_metric_that_is_gone():
    assert set(re.findall(r"^\| `(lk_\w+)`", PAGE, re.MULTILINE)) == set(MEASURES)


def test_the_page_says_what_to_do_at_every_alert_and_names_none_that_is_gone():
    assert set(re.findall(r"^\| `(LK\w+)`", PAGE, re.MULTILINE)) == {rule["alert"] for rule in alerts()}
