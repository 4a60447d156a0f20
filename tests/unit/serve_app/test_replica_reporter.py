"""A replica tells how it ranked, by model, and a failed ranking counts against its model alone."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry

from messages.codec import unpack
from messages.pulses import REPLICA_PULSE
from serve_app.answer_pulse import AnswerPulse
from serve_app.kpi_metrics import KpiMetrics
from serve_app.replica_reporter import ReplicaReporter
from serve_app.serving_metrics import ServingMetrics


class Heard:
    def __init__(self) -> None:
        self.pulses: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.pulse = AnswerPulse()
        self.reporter = ReplicaReporter(
            self.pulse, self.publish, KpiMetrics(CollectorRegistry()), lambda: None, (ConnectionError,)
        )

    async def publish(self, data: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.pulses.append(unpack(data))

    def report(self) -> None:
        asyncio.run(self.reporter.report())


def test_each_model_answers_for_itself() -> None:
    heard = Heard()
    heard.pulse.ranked("production", seconds=3.0, answers=2, failures=0)
    heard.pulse.ranked("production", seconds=1.0, answers=1, failures=0)
    heard.pulse.ranked("next", seconds=1.0, answers=1, failures=1)
    heard.report()
    heard.report()
    assert heard.pulses == [
        {
            "production": {"answers": 3, "failures": 0, "milliseconds": [1500.0, 1500.0, 1000.0]},
            "next": {"answers": 1, "failures": 1, "milliseconds": [1000.0]},
        }
    ]


def test_a_broker_that_is_away_stops_nothing() -> None:
    heard = Heard()
    heard.failure = ConnectionError("away")
    heard.pulse.ranked("production", seconds=1.0, answers=1, failures=0)
    heard.report()
    assert heard.pulses == []


def test_how_soon_events_were_served_goes_along_and_alone_is_enough_to_report() -> None:
    heard = Heard()
    metrics = ServingMetrics()
    reporter = ReplicaReporter(
        heard.pulse,
        heard.publish,
        KpiMetrics(CollectorRegistry()),
        lambda: None,
        (ConnectionError,),
        metrics.take_freshness,
    )
    metrics.observe_freshness(0.25)
    asyncio.run(reporter.report())
    asyncio.run(reporter.report())
    assert heard.pulses == [{REPLICA_PULSE: {"freshness_seconds": [0.25]}}]
