"""The rules at work on a real registry: forward on evidence, back on harm, and everything on record."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import numpy as np

from actors.alert_sender import AlertSender
from actors.connections import Connections, EndpointSettings
from actors.model_commands import create_model
from actors.model_judge import ModelJudge
from actors.model_records import LogEntry, ModelRecords
from actors.model_registry_store import ModelRegistryStore
from actors.models_settings import ModelsSettings
from learners.training_settings import TrainingSettings
from monitoring.alert_rules import AlertRule
from monitoring.experiment_analysis import ArmReading, ExperimentReading, MetricReading
from monitoring.experiment_assignment import ExperimentSettings
from monitoring.promotion import PromotionSettings
from monitoring.promotion_evidence import Stage
from tests.unit.monitoring.test_model_watch import promises

TRAINING = TrainingSettings()
SETTINGS = ModelsSettings(
    promotion=PromotionSettings(min_shadow_seconds=0, min_canary_seconds=0),
    health=(
        AlertRule(
            name="loss_rises",
            metric="normalized_loss",
            window_seconds=5,
            deviation=0.2,
            baseline_seconds=60,
            for_seconds=2,
        ),
    ),
    shadow_min_people=100,
    shadow_planned_people=150,
)


class Ledger:
    """Says of each canary what the test wants."""

    def __init__(self) -> None:
        self.verdict = "open"
        self.running: list[tuple[str, float]] = []

    def look(self, experiment: ExperimentSettings, started: float) -> ExperimentReading:
        sign = {"better": 1.0, "worse": -1.0, "open": 0.0}[self.verdict]
        reading = MetricReading(
            "engagement", 0.5, 0.5 + 0.05 * sign, 0.04 * sign, 0.06 * sign, 0.1 * sign, 0.08 * sign,
            0.12 * sign, 0.001, 0.0, self.verdict, False,  # type: ignore[arg-type]
        )  # fmt: skip
        arm = ArmReading(experiment.label(1), 500, 500, reading, ())
        return ExperimentReading((500, 500), 0.5, True, (arm,))

    def keep_only(self, running: list[tuple[str, float]]) -> None:
        self.running = running


class World:
    """A judge on a clock of its own, and models that promise what the test wants."""

    def __init__(self, connections: Connections) -> None:
        self.store = ModelRegistryStore(connections.redis, connections.namespace, SETTINGS)
        self.ledger = Ledger()
        alerts = AlertSender(connections.nats, connections.namespace.alerts_subject, None)
        self.judge = ModelJudge(SETTINGS, self.ledger, self.store, alerts)  # type: ignore[arg-type]
        self.now = 1_000.0
        self.row = 0
        self.words: dict[str, str] = {}

    async def begin(self) -> None:
        await self.store.ensure(self.now)
        await self.store.change(self._create)
        self.words = await self.judge.look(self.now)

    def _create(self, records: ModelRecords) -> list[LogEntry]:
        return create_model(
            records,
            "next",
            training=TRAINING,
            of_the_system=TRAINING,
            copy=True,
            now=self.now,
            by="ada",
            why="",
        )

    async def go_on(self, seconds: int, **chances: float) -> None:
        """Let models promise these chances each second; 0.9 of the rows engage."""
        for _ in range(seconds):
            for group, chance in chances.items():
                said = promises(chance, engaged=0.9, first=self.row)
                self.judge.hear_promises(dataclasses.replace(said, group=group))
            self.row += 200
            self.now += 1.0
            self.words = await self.judge.look(self.now)

    async def stage(self, model_id: str) -> Stage:
        return (await self.store.load()).model(model_id).lifecycle.stage


def test_a_better_model_goes_all_the_way_and_back_when_it_turns_bad(endpoints: EndpointSettings) -> None:
    async def run() -> list[LogEntry]:
        async with await Connections.open(endpoints, "test") as connections:
            heard: list[dict[str, str]] = []

            async def hear(message: object) -> None:
                heard.append(json.loads(message.data))  # type: ignore[attr-defined]

            await connections.nats.subscribe(connections.namespace.alerts_subject, cb=hear)
            world = World(connections)
            await world.begin()
            assert world.words["next"].startswith("wait in shadow: too few people yet")
            await world.go_on(20, production=0.5, next=0.9)
            assert await world.stage("next") is Stage.CANARY
            world.ledger.verdict = "better"
            await world.go_on(1, production=0.5, next=0.9)
            assert await world.stage("next") is Stage.PRODUCTION
            assert await world.stage("production") is Stage.SHADOW
            await world.go_on(20, production=0.5, next=0.9)
            assert await world.stage("production") is Stage.SHADOW, "the way back goes on learning"
            assert world.words["production"] == "kept learning as the way back from next"
            await world.go_on(10, production=0.5, next=0.01)
            assert await world.stage("next") is Stage.STOPPED
            assert await world.stage("production") is Stage.PRODUCTION
            await connections.nats.flush()
            assert any("loss_rises" in message["text"] for message in heard)
            assert sum(message["severity"] == "decision" for message in heard) >= 4
            return await world.store.log()

    log = asyncio.run(run())
    steps = [entry.what for entry in log if entry.model_id == "next"]
    assert steps == [
        "created as shadow: a copy of production",
        "shadow to canary",
        "canary to production",
        "production to stopped",
    ]
    assert all(entry.by == "rules" and entry.why for entry in log[1:])
    assert np.isfinite(log[1].numbers["loss_high"])


def test_a_worse_model_is_stopped_as_a_canary(endpoints: EndpointSettings) -> None:
    async def run() -> tuple[Stage, list[tuple[str, float]]]:
        async with await Connections.open(endpoints, "test") as connections:
            world = World(connections)
            await world.begin()
            await world.go_on(20, production=0.8, next=0.9)
            assert [name for name, _ in world.ledger.running] == ["next"]
            world.ledger.verdict = "worse"
            await world.go_on(1, production=0.8, next=0.9)
            await world.go_on(1, production=0.8, next=0.9)
            return await world.stage("next"), world.ledger.running

    assert asyncio.run(run()) == (Stage.STOPPED, [])
