"""Who is answered by which model, and when a change of the registry takes effect in a replica."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from typing import Any

import pytest

from actors.model_commands import create_model, move_model, roll_back
from actors.model_groups import FIRST_MODEL
from actors.model_records import ModelRecords, ModelSpec
from learners.training_settings import TrainingSettings
from messages.updates import ModelDelta
from monitoring.experiment_assignment import AssignmentSettings
from monitoring.model_registry import ModelRegistry
from monitoring.promotion import PromotionSettings
from monitoring.promotion_evidence import Stage
from serve_app.model_replica import ModelReplica
from serve_app.models_follower import FollowedModel, ModelsFollower
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.serving_models import ServingModel, ServingModels
from tests.fakes import RETRIEVAL, SLOTS, KnownModel, content, delta

PEOPLE = [f"user-{number}" for number in range(2_000)]
TRAINING = TrainingSettings()


def serving(model_id: str) -> ServingModel:
    replica = ModelReplica(model_id, SLOTS, RETRIEVAL, lambda rows: rows)
    pipeline = build_pipeline(PipelineSettings(learned_order_only=True), replica, KnownModel())
    return ServingModel(replica, pipeline)


def arrive(model: ServingModel, lineage: str = "a") -> None:
    """Let the model's first full delta come."""
    full: ModelDelta = delta(1, contents=[content("c1")], lineage=lineage)
    version = dataclasses.replace(full.version, model_id=model.replica.model_id)
    model.replica.apply_whole(dataclasses.replace(full, version=version))


class World:
    """A registry, and a replica that follows it; models arrive when the test says so."""

    def __init__(self) -> None:
        registry = ModelRegistry(PromotionSettings(), canary_share=0.1)
        registry.add(FIRST_MODEL, "the first", 0.0)
        self.records = ModelRecords(registry, {FIRST_MODEL: ModelSpec()}, revision=1)
        self.followed: dict[str, ServingModel] = {FIRST_MODEL: serving(FIRST_MODEL)}
        self.away: Exception | None = None
        arrive(self.followed[FIRST_MODEL])
        self.models = ServingModels(self.followed[FIRST_MODEL])
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def load(self) -> ModelRecords:
        if self.away is not None:
            raise self.away
        return copy.deepcopy(self.records)

    def follow(self, model_id: str, records: ModelRecords) -> FollowedModel:
        group = records.group(model_id)
        self.followed.setdefault(group, serving(model_id))
        self.tasks[group] = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
        return FollowedModel(self.followed[group], (self.tasks[group],))

    def run(self, *steps: Any) -> None:
        """Look at the registry once after each step."""

        async def all_steps() -> None:
            first = self.follow(FIRST_MODEL, self.records)
            follower = ModelsFollower(self, self.models, FIRST_MODEL, first, self.follow)
            for step in steps:
                step()
                await follower.look()
            follower.stop()

        asyncio.run(all_steps())

    def create(self) -> None:
        create_model(
            self.records,
            "next",
            training=TRAINING,
            of_the_system=TRAINING,
            copy=True,
            now=1.0,
            by="ada",
            why="",
        )

    def move(self, stage: Stage) -> None:
        move_model(self.records, "next", stage, now=2.0, by="ada", why="")

    def shares(self) -> dict[tuple[str, str], float]:
        """Return which share of people has which arm and is answered by which model."""
        shares: dict[tuple[str, str], float] = {}
        for person in PEOPLE:
            arm, model = self.models.choose(person)
            key = arm, model.replica.model_id
            shares[key] = shares.get(key, 0) + 1 / len(PEOPLE)
        return shares


def test_without_an_experiment_production_answers_everybody() -> None:
    assert World().shares() == {("production", FIRST_MODEL): pytest.approx(1.0)}


def test_a_shadow_answers_nobody_and_no_replica_holds_it() -> None:
    world = World()
    world.run(world.create)
    assert world.shares() == {("production", FIRST_MODEL): pytest.approx(1.0)}
    assert list(world.models.at_hand()) == [FIRST_MODEL]


def test_a_canary_answers_its_share_once_its_rows_are_here_and_people_stay_in_their_arm() -> None:
    world = World()
    world.run(world.create, lambda: world.move(Stage.CANARY))
    assert world.shares() == {("production", FIRST_MODEL): pytest.approx(1.0)}, "its rows are not here yet"
    world.run(lambda: arrive(world.followed["next"]))
    shares = world.shares()
    assert shares["next/canary", "next"] == pytest.approx(0.1, abs=0.03)
    assert shares["next/control", FIRST_MODEL] == pytest.approx(0.1, abs=0.03)
    assert shares == world.shares()


def test_a_promotion_takes_effect_when_the_rows_are_here_and_the_former_stays_at_hand() -> None:
    world = World()
    world.run(world.create, lambda: world.move(Stage.PRODUCTION))
    assert world.models.production.replica.model_id == FIRST_MODEL
    world.run(lambda: arrive(world.followed["next"]))
    assert world.models.production.replica.model_id == "next"
    assert set(world.models.at_hand()) == {"next", FIRST_MODEL}
    world.run(lambda: roll_back(world.records, now=3.0, by="ada", why=""))
    assert world.models.production.replica.model_id == FIRST_MODEL


def test_a_new_lineage_takes_over_and_the_old_one_is_let_go() -> None:
    world = World()
    old = world.models.production
    world.run(lambda: roll_back(world.records, now=3.0, by="ada", why="bad"))
    assert world.models.production is old
    world.run(lambda: arrive(world.followed["production@b"], lineage="b"))
    assert world.models.production is not old
    assert str(world.models.production.replica.version) == "b.1"
    assert world.tasks["production"].cancelled() or world.tasks["production"].cancelling()


def test_while_the_registry_is_away_serving_goes_on() -> None:
    world = World()
    world.away = ConnectionError("no store")
    world.run(lambda: None)
    assert world.models.production.replica.model_id == FIRST_MODEL


def test_a_holdout_is_in_no_experiment() -> None:
    models = ServingModels(serving(FIRST_MODEL))
    models.use(models.at_hand(), FIRST_MODEL, AssignmentSettings(holdout_share=0.5))
    arms = [models.choose(person)[0] for person in PEOPLE]
    assert arms.count("holdout") / len(arms) == pytest.approx(0.5, abs=0.05)
