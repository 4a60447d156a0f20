"""What the actor of models says, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from serve_app.kpi_metrics import KpiMetrics

SAID = {
    "models": {"production": {"stage": "production"}, "next": {"stage": "canary"}},
    "kpis": {
        "segments": {"all": {"click_through_rate": 0.4, "retention_d1": None}},
        "models": {"next": {"calibration": 1.1, "error_rate": None}},
        "system": {"join_rate": 0.9, "freshness_p95_seconds": None},
    },
}


def test_what_is_known_is_shown_and_what_is_gone_is_gone() -> None:
    registry = CollectorRegistry()
    metrics = KpiMetrics(registry)
    read = registry.get_sample_value
    metrics.show(SAID)
    assert read("foryou_kpi", {"kpi": "click_through_rate", "segment": "all"}) == 0.4
    assert read("foryou_kpi", {"kpi": "retention_d1", "segment": "all"}) is None
    assert read("foryou_model_stage", {"model": "next", "stage": "canary"}) == 1
    assert read("foryou_model_health", {"group": "next", "metric": "calibration"}) == 1.1
    assert read("foryou_system_health", {"metric": "join_rate"}) == 0.9
    assert read("foryou_system_health", {"metric": "freshness_p95_seconds"}) is None
    metrics.show({"models": {"production": {"stage": "production"}}})
    assert read("foryou_model_stage", {"model": "next", "stage": "canary"}) is None
    assert read("foryou_system_health", {"metric": "join_rate"}) is None
    metrics.show(None)
    assert read("foryou_model_stage", {"model": "production", "stage": "production"}) is None
