"""What the actor of models sees goes all the way to a replica's /metrics: real stream, store and exporter."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors import status_reader
from actors.connections import Connections, EndpointSettings
from actors.models_actor import ModelsActor
from actors.models_settings import ModelsSettings
from actors.names import Namespace
from actors.status_reader import StatusReader
from actors.streams import StreamSettings, ensure_streams
from learners.training_settings import TrainingSettings
from messages.codec import pack
from messages.examples_header import ExamplesHeader
from messages.pulses import REPLICA_PULSE
from serve_app.answer_pulse import AnswerPulse
from serve_app.kpi_metrics import KpiMetrics
from serve_app.replica_reporter import ReplicaReporter
from tests.api_over_fakes import catalogue_api
from tests.unit.actors.test_model_keeper import Parts
from tests.unit.monitoring.event_log import START, message_of, random_log

DEADLINE_SECONDS = 20.0
SETTINGS = ModelsSettings(decide_every_seconds=0.1)
SYSTEM = {"freshness_p95_seconds", "join_rate", "events_per_second", "dead_letters_per_second"}


class LocalParts(Parts):
    def end_learners(self, but: str) -> None:
        self.learners = {group: learner for group, learner in self.learners.items() if group == but}


async def tell(endpoints: EndpointSettings, *, first: bool) -> None:
    """Append an EXAMPLES message with some events, and pulse as a replica that served them 0.2 s after."""
    async with await Connections.open(endpoints, "test") as connections:
        namespace = connections.namespace
        if first:
            limits = StreamSettings(max_bytes=2**24, max_dead_bytes=2**20)
            await ensure_streams(connections.js, namespace, limits)
        # Contents without features: orphans only have what the ledger needs.
        events = [event for event in random_log(seed=1, n=40) if event.arm is None]
        header = ExamplesHeader("test", 1, START, 0, 0)
        subject = namespace.examples_subject(0)
        await connections.js.publish(subject, message_of(events).encode(), headers=header.to_headers())
        pulse = pack({REPLICA_PULSE: {"freshness_seconds": [0.2, 0.2]}})
        await connections.nats.publish(namespace.pulse_subject, pulse)
        await connections.nats.flush()


def test_the_system_health_is_in_metrics(
    endpoints: EndpointSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(tell(endpoints, first=True))
    models = ModelsActor(endpoints, LocalParts(), TrainingSettings(), SETTINGS)

    class InThisProcess:
        """Answers as the named actor would."""

        def __init__(self, name: str, ray_namespace: str) -> None:
            assert name == Namespace(endpoints.namespace).actor("models")

        async def call(self, method: str) -> Any:
            return getattr(models, method)()

    monkeypatch.setattr(status_reader, "RemoteActor", InThisProcess)
    reader = StatusReader(Namespace(endpoints.namespace), ["models"], "none")
    api = catalogue_api()
    reporter = ReplicaReporter(
        AnswerPulse(),
        lambda _: asyncio.sleep(0),
        KpiMetrics(api.service.metrics.registry),
        lambda: reader.latest.get("models"),
        (ConnectionError,),
    )

    async def read_and_report() -> None:
        reading = asyncio.create_task(reader.run())
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not reader.latest:  # noqa: ASYNC110 the reader tells nobody
                await asyncio.sleep(0.01)
        reading.cancel()
        await reporter.report()

    def shown() -> dict[str, dict[str, float]]:
        """Scrape; return the samples by family and first label."""
        reader.latest = {}
        asyncio.run(read_and_report())
        families = text_string_to_metric_families(api.get("/metrics").text)
        return {
            family.name: {next(iter(sample.labels.values())): sample.value for sample in family.samples}
            for family in families
            if family.name.startswith(("foryou_system", "foryou_kpi", "foryou_model_stage"))
        }

    try:
        seen: dict[str, float] = {}
        started = time.monotonic()
        while set(seen) != SYSTEM:
            assert time.monotonic() - started < DEADLINE_SECONDS, (seen, models.status())
            asyncio.run(tell(endpoints, first=False))
            latest = shown()
            seen |= latest["foryou_system_health"]
        assert seen["freshness_p95_seconds"] == pytest.approx(0.2)
        assert seen["join_rate"] == 0
        assert seen["events_per_second"] > 0
        assert seen["dead_letters_per_second"] == 0
        assert latest["foryou_model_stage"] == {"production": 1}
        assert latest["foryou_kpi"]["daily_active_users"] == 0
    finally:
        models.stop()
