"""Every metric that a dashboard or a rule names is exported by replicas, and every KPI in it is measured."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.kpi_report import DayReport
from serve_app.kpi_metrics import KpiMetrics
from serve_app.serving_metrics import ServingMetrics

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
RULES = sorted((DEPLOY / "prometheus").glob("*.yml"))
RETENTION = {"retention_d1", "retention_d7"}
HEALTH = {"progressive_loss", "normalized_loss", "calibration", "error_rate", "latency_p95_ms"}


def exported() -> set[str]:
    """Return the names of the series that a replica exports, as a scrape has them."""
    metrics = ServingMetrics()
    KpiMetrics(metrics.registry)
    names = set()
    for family in metrics.registry.collect():
        names |= {f"{family.name}{ending}" for ending in _ENDINGS[family.type]}
    return names


_ENDINGS = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def expressions() -> list[tuple[str, str]]:
    """Return every expression with the file it is in."""
    found: list[tuple[str, str]] = []
    for path in DASHBOARDS:
        panels: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
        found += [(path.name, each["expr"]) for panel in panels for each in panel.get("targets", [])]
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            found += [(path.name, rule["expr"]) for rule in group["rules"]]
    return found


def test_there_are_a_dashboard_and_rules() -> None:
    assert DASHBOARDS
    assert RULES


@pytest.mark.parametrize(("file", "expression"), expressions())
def test_what_is_asked_for_is_exported(file: str, expression: str) -> None:
    names = set(re.findall(r"foryou_[a-z0-9_]+", expression))
    assert names, f"{file}: {expression} names no metric of ours"
    assert names <= exported(), f"{file}: nobody exports {names - exported()}"


def test_every_kpi_and_every_guardrail_that_is_drawn_is_measured() -> None:
    kpis = {field.name for field in fields(DayReport)} | RETENTION
    text = " ".join(expression for _, expression in expressions())
    assert set(re.findall(r'\bkpi="([a-z0-9_]+)"', text)) <= kpis
    assert set(re.findall(r'\bmetric="([a-z0-9_]+)"', text)) <= HEALTH


def test_no_panel_lies_over_another() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(path.read_text())["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, f"{path.name}: {panel['title']}"
            taken |= cells
