"""What runs becomes what the registry says, whatever failed in between."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from actors.model_commands import create_model, retire_model, roll_back
from actors.model_groups import FIRST_MODEL, GroupBirth
from actors.model_keeper import ModelKeeper
from actors.model_records import ModelRecords, ModelSpec
from learners.training_settings import TrainingSettings
from monitoring.model_registry import ModelRegistry
from monitoring.promotion import PromotionSettings

TRAINING = TrainingSettings()
OTHER = TrainingSettings(retrieval_weight=0.5)


class Parts:
    """What there is, in two sets, and a log of what was done."""

    def __init__(self) -> None:
        self.groups: dict[str, GroupBirth] = {}
        self.learners: dict[str, TrainingSettings] = {}
        self.log: list[str] = []
        self.failure: Exception | None = None
        self.pinned: list[str] = []

    async def keep_pinned(self, versions: list[str]) -> None:
        self.pinned = versions

    async def ensure_group(self, group: str, training: TrainingSettings, birth: GroupBirth) -> None:
        if self.failure is not None:
            raise self.failure
        if group not in self.groups:
            self.log.append(f"make {group}")
        self.groups.setdefault(group, birth)

    async def drop_group(self, group: str) -> None:
        if self.groups.pop(group, None) is not None:
            self.log.append(f"drop {group}")

    async def start_learner(self, group: str, training: TrainingSettings) -> None:
        self.learners.setdefault(group, training)

    async def stop_learner(self, group: str) -> None:
        self.learners.pop(group, None)

    async def learner_status(self, group: str) -> dict[str, Any]:
        return {"running": group in self.learners}


class Store:
    def __init__(self) -> None:
        registry = ModelRegistry(PromotionSettings())
        registry.add(FIRST_MODEL, "the first", 0.0)
        self.records = ModelRecords(registry, {FIRST_MODEL: ModelSpec()}, revision=1)

    async def load(self) -> ModelRecords:
        return copy.deepcopy(self.records)

    def change(self, act: Callable[[ModelRecords], object]) -> None:
        act(self.records)
        self.records.revision += 1


class World:
    def __init__(self) -> None:
        self.parts, self.store = Parts(), Store()
        self.keeper = ModelKeeper(self.parts, TRAINING)

    def keep(self, *, again: bool = False) -> bool:
        return asyncio.run(self.keeper.keep(self.store, again=again))  # type: ignore[arg-type]

    def create(self) -> None:
        self.store.change(
            lambda records: create_model(
                records,
                "next",
                training=OTHER,
                of_the_system=TRAINING,
                copy=True,
                now=1.0,
                by="ada",
                why="",
            )
        )


@pytest.fixture
def world() -> World:
    started = World()
    started.keep()
    return started


def test_a_candidate_gets_a_group_and_a_learner_of_its_own(world: World) -> None:
    world.create()
    assert world.keep()
    assert world.parts.groups["next"].source == FIRST_MODEL
    assert world.parts.learners == {FIRST_MODEL: TRAINING, "next": OTHER}
    assert asyncio.run(world.keeper.learners()) == {
        FIRST_MODEL: {"running": True},
        "next": {"running": True},
    }


def test_nothing_is_done_while_nothing_changes(world: World) -> None:
    assert not world.keep()


def test_a_group_that_a_shard_has_lost_is_made_again(world: World) -> None:
    world.parts.groups.clear()
    world.keep(again=True)
    assert list(world.parts.groups) == [FIRST_MODEL]


def test_a_new_lineage_is_there_before_the_old_one_goes(world: World) -> None:
    world.store.change(lambda records: roll_back(records, now=9.0, by="ada", why="bad"))
    world.keep()
    assert world.parts.log[-2:] == ["make production@b", "drop production"]
    assert list(world.parts.learners) == ["production@b"]


def test_a_retired_model_leaves_nothing(world: World) -> None:
    world.create()
    world.keep()
    world.store.change(lambda records: retire_model(records, "next", now=9.0, by="ada", why=""))
    world.keep()
    assert list(world.parts.groups) == list(world.parts.learners) == [FIRST_MODEL]


def test_what_fails_is_said_and_done_again(world: World) -> None:
    world.create()
    world.parts.failure = ConnectionError("shard-1 is away")
    world.keep()
    assert world.keeper.problem == "ConnectionError: shard-1 is away"
    assert "next" not in world.parts.learners
    world.parts.failure = None
    assert world.keep()
    assert world.keeper.problem is None
    assert "next" in world.parts.learners


def test_shards_are_told_which_versions_to_keep(world: World) -> None:
    world.store.change(lambda records: records.pin(FIRST_MODEL, 7.0))
    world.keep()
    assert world.parts.pinned == ["production-7.000"]
