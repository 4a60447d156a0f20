"""What dashboards and people read of the KPIs: today's, by segment, and what each model is worth now."""

from __future__ import annotations

from typing import Any

from monitoring.kpi_report import date_of, day_of, day_report, retention
from monitoring.kpis import Kpis
from monitoring.model_watch import ModelWatch, summary_of

_RETENTION_DAYS = (1, 7)


def report_of(kpis: Kpis, watches: dict[str, ModelWatch], now: float) -> dict[str, Any]:
    """Return plain numbers. segments: today's KPIs of all, of each arm and of each model, with the retention
    of those who were here 1 and 7 days ago. now: epoch seconds."""
    today = day_of(now)
    return {
        "date": date_of(today),
        "segments": {
            segment: day_report(kpis, today, segment).as_dict()
            | {f"retention_d{days}": retention(kpis, today - days, days, segment) for days in _RETENTION_DAYS}
            for segment in kpis.segments
        },
        "too_late": kpis.num_too_late,
        "models": summary_of(watches),
    }
