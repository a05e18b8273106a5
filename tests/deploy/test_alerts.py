"""The alert rules and the dashboard ask for what verify writes, and do with it what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from csijournal.check.findings import Finding, FindingKind
from csijournal.check.metrics import Metrics
from deploy.conftest import DEPLOY, run

RULES = DEPLOY / "prometheus" / "csijournal.rules.yaml"
DASHBOARD = DEPLOY / "grafana" / "csijournal.json"


@pytest.fixture(scope="module")
def text() -> str:
    """A file with every metric."""
    metrics = Metrics()
    metrics.add("rados://rbd", Finding(FindingKind.DANGLING_ENTRY, "csi.groups.default"))
    journals = {"groups": {"entries": 1, "records": 1, "objects_listed": 1}}
    compared = {"compared": {"image": 1}, "leaked_bytes": 4096}
    told = {"journals": journals, "complete": True, "deep": True}
    metrics.add_summary("rados://rbd", told | compared, seconds=1.5)
    return "".join(metrics.text())


def rule_expressions() -> list[str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def panel_expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.mark.parametrize("expression", rule_expressions() + panel_expressions())
def test_each_expression_asks_for_a_metric_that_verify_writes(expression: str, text: str) -> None:
    written = {family.name for family in text_string_to_metric_families(text)}
    asked = set(re.findall(r"csijournal_\w+", expression))
    assert asked
    assert asked <= written
    labels = {label for selector in re.findall(r"\{(.*?)\}", expression) for label in
              re.findall(r"(\w+)=~?", selector)}  # fmt: skip
    assert labels <= {"location", "journal", "kind", "severity"}


def test_the_rules_alert_when_they_should_and_not_otherwise() -> None:
    run("promtool", "check", "rules", RULES)
    run("promtool", "test", "rules", Path(__file__).with_name("alerts.yaml"))


def test_prometheus_finds_nothing_to_say_about_names_and_help(text: str) -> None:
    assert run("promtool", "check", "metrics", stdin=text) == ""


def test_the_expressions_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{n}", "expr": expression.replace("$location", ".*")}
        for n, expression in enumerate(panel_expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run("promtool", "check", "rules", file)


def test_the_panels_of_the_dashboard_stand_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
