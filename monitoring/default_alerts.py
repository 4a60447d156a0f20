"""The rules that hold where the settings name none: of each model, and of the system."""

from __future__ import annotations

from monitoring.alert_rules import AlertRule

MODEL_HEALTH: tuple[AlertRule, ...] = (
    AlertRule(
        name="loss_rises",
        metric="normalized_loss",
        window_seconds=30,
        deviation=0.2,
        baseline_seconds=1800,
        for_seconds=10,
        severity="page",
    ),
    AlertRule(
        name="promises_too_much",
        metric="calibration",
        window_seconds=60,
        threshold=2.0,
        for_seconds=30,
        severity="page",
    ),
    AlertRule(
        name="promises_too_little",
        metric="calibration",
        window_seconds=60,
        above=False,
        threshold=0.5,
        for_seconds=30,
        severity="page",
    ),
    AlertRule(
        name="answers_fail",
        metric="error_rate",
        window_seconds=60,
        threshold=0.01,
        for_seconds=10,
        severity="page",
    ),
    AlertRule(
        name="answers_are_slow", metric="latency_p95_ms", window_seconds=60, threshold=250, for_seconds=60
    ),
)
"""Guardrails of canary and production: a model for which one fires goes back.

normalized_loss: of rows before they were learned, by what the rates alone would lose: a learning rate gone
wrong shows there first, while a promotion, after which people see and do other things, does not.
calibration: promised by happened, of engage. error_rate: of requests that the model answered.
"""

SYSTEM_HEALTH: tuple[AlertRule, ...] = (
    AlertRule(
        name="learning_is_late", metric="freshness_p95_seconds", window_seconds=60, threshold=5,
        for_seconds=60,
    ),
    AlertRule(
        name="events_are_not_joined", metric="join_rate", window_seconds=300, above=False, threshold=0.5,
        for_seconds=300,
    ),
    AlertRule(
        name="traffic_is_odd", metric="events_per_second", window_seconds=300, above=None, deviation=0.7,
        baseline_seconds=7200, for_seconds=300,
    ),
    AlertRule(
        name="events_are_broken", metric="dead_letters_per_second", window_seconds=300, threshold=1,
        for_seconds=300,
    ),
)  # fmt: skip
"""join_rate: of events, joined to an impression."""
