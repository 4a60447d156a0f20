"""The actor of models: keeps what runs at what the registry says, and lets the rules judge what is seen."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from actors.alert_sender import AlertSender
from actors.background import BackgroundTask
from actors.connections import Connections, EndpointSettings
from actors.epochs import OvertakenError
from actors.kpi_ledger import KpiLedger
from actors.kpi_report import report_of
from actors.model_groups import FIRST_MODEL
from actors.model_judge import ModelJudge
from actors.model_keeper import ModelKeeper, ModelParts
from actors.model_registry_store import ModelRegistryStore
from actors.models_settings import ModelsSettings
from learners.training_settings import TrainingSettings
from messages.codec import unpack
from messages.promises import Promises
from messages.pulses import REPLICA_PULSE
from monitoring.alert_rules import AlertChange
from monitoring.system_watch import StreamCounts, SystemWatch

_READ_SECONDS = 0.5
_REST_SECONDS = 0.25
"""Between two readings that found all there is: what comes meanwhile is counted at once."""


class ModelsActor:
    """Starts to work when constructed. Learners that it starts are its own: they end with it."""

    def __init__(
        self,
        endpoints: EndpointSettings,
        parts: ModelParts,
        training: TrainingSettings,
        settings: ModelsSettings,
        first_group: str = FIRST_MODEL,
    ) -> None:
        """training: of models without settings of their own. first_group: whose learner somebody else has
        started, and will end."""
        self._endpoints = endpoints
        self._settings = settings
        self._parts = parts
        self._first_group = first_group
        self._keeper = ModelKeeper(parts, training)
        self._report: dict[str, Any] = {}
        self._alerts: list[dict[str, Any]] = []
        self._keeping = BackgroundTask("models", self._keep)
        self._judging = BackgroundTask("kpis", self._judge, stays_down=(OvertakenError,), gives_way=True)
        self._keeping.start()
        self._judging.start()

    def status(self) -> dict[str, Any]:
        """Return each model's stage, today's KPIs, the newest alerts, and what stands in the way."""
        records = self._keeper.records
        models = {} if records is None else records.registry.models
        return {
            "running": self._keeping.is_running and self._judging.is_running,
            "failure": self._keeping.failure or self._judging.failure or self._keeper.problem,
            "revision": None if records is None else records.revision,
            "models": {
                model_id: {
                    "stage": model.lifecycle.stage.value,
                    "since": model.lifecycle.since,
                    "group": records.group(model_id) if records is not None else None,
                }
                for model_id, model in models.items()
                if not model.is_retired
            },
            "kpis": self._report,
            "alerts": self._alerts[-10:],
        }

    def stop(self) -> None:
        self._keeping.stop()
        self._judging.stop()
        self._parts.end_learners(self._first_group)

    async def _keep(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, "models") as connections:
            store = ModelRegistryStore(connections.redis, connections.namespace, self._settings)
            await store.ensure(time.time())
            await self._keeper.run(store, stop)

    async def _judge(self, stop: asyncio.Event) -> None:
        """Count, and look at all models now and then; a run that failed begins where the store says."""
        async with await Connections.open(self._endpoints, "kpis") as connections:
            namespace = connections.namespace
            registry = ModelRegistryStore(connections.redis, namespace, self._settings)
            await registry.ensure(time.time())
            ledger = KpiLedger(connections, self._settings)
            alerts = AlertSender(connections.nats, namespace.alerts_subject, self._settings.alert_webhook)
            judge = ModelJudge(self._settings, ledger, registry, alerts)
            system = SystemWatch(self._settings.system_health)

            async def hear_promises(message: Msg) -> None:
                judge.hear_promises(Promises.decode(message.data))

            async def hear_pulse(message: Msg) -> None:
                pulse = unpack(message.data)
                judge.hear_pulse(pulse)
                system.add_freshness(pulse.get(REPLICA_PULSE, {}).get("freshness_seconds", []))

            await ledger.open()
            await connections.nats.subscribe(namespace.promises_subject, cb=hear_promises)
            await connections.nats.subscribe(namespace.pulse_subject, cb=hear_pulse)
            looked = time.monotonic()
            while not stop.is_set():
                try:
                    await ledger.read(_READ_SECONDS)
                    if ledger.is_live:
                        await asyncio.sleep(_REST_SECONDS)
                except NatsError:
                    await asyncio.sleep(_READ_SECONDS)  # the reader has said so; it begins again by itself
                if time.monotonic() - looked >= self._settings.decide_every_seconds:
                    looked = time.monotonic()
                    now = time.time()
                    await judge.look(now)
                    for change in await self._look_at_system(system, connections, ledger, now):
                        await alerts.send(change.rule.severity, f"system: {change.words()}", now)
                    await ledger.store()
                    self._report = report_of(ledger.kpis, judge.watches, now) | {"system": system.values}
                    self._alerts = list(alerts.recent)
            await ledger.store()
            await ledger.close()
            await alerts.drain()

    @staticmethod
    async def _look_at_system(
        system: SystemWatch, connections: Connections, ledger: KpiLedger, now: float
    ) -> list[AlertChange]:
        """A broker that is away is told by those who wait for it; then nothing is known of the system."""
        try:
            dead = await connections.js.stream_info(connections.namespace.dead_stream)
        except (NatsError, TimeoutError):
            return []
        dead_letters = int(dead.state.last_seq or 0)
        return system.look(
            now, StreamCounts(ledger.num_events, ledger.num_joined, dead_letters, ledger.is_live)
        )
