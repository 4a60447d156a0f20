"""The registry in a real store: nobody's change is lost, and none is without its entry in the log."""

from __future__ import annotations

import asyncio

import pytest

from actors.connections import Connections, EndpointSettings
from actors.model_commands import create_model, move_model
from actors.model_records import LogEntry, ModelRecords
from actors.model_registry_store import ModelRegistryStore, NoModelsError
from actors.models_settings import ModelsSettings
from learners.training_settings import TrainingSettings
from monitoring.model_lifecycle import TransitionError
from monitoring.promotion_evidence import Stage

TRAINING = TrainingSettings()


def create(records: ModelRecords, model_id: str) -> list[LogEntry]:
    return create_model(
        records,
        model_id,
        training=TRAINING,
        of_the_system=TRAINING,
        copy=True,
        now=1.0,
        by="ada",
        why="",
    )


def test_many_who_change_it_at_once_lose_nothing(endpoints: EndpointSettings) -> None:
    async def run() -> tuple[ModelRecords, list[LogEntry]]:
        async with await Connections.open(endpoints, "test") as connections:
            store = ModelRegistryStore(connections.redis, connections.namespace, ModelsSettings())
            with pytest.raises(NoModelsError):
                await store.load()
            await asyncio.gather(*(store.ensure(float(moment)) for moment in range(3)))
            await asyncio.gather(
                *(store.change(lambda records, n=n: create(records, f"m{n}")) for n in range(8))
            )
            return await store.load(), await store.log()

    records, log = asyncio.run(run())
    assert set(records.registry.models) == {"production", *(f"m{n}" for n in range(8))}
    assert records.revision == 9
    assert {entry.model_id for entry in log} == {f"m{n}" for n in range(8)}


def test_what_is_refused_leaves_no_trace(endpoints: EndpointSettings) -> None:
    async def run() -> tuple[int, list[LogEntry]]:
        async with await Connections.open(endpoints, "test") as connections:
            store = ModelRegistryStore(connections.redis, connections.namespace, ModelsSettings())
            await store.ensure(0.0)
            with pytest.raises(TransitionError):
                await store.change(
                    lambda records: move_model(records, "production", Stage.CANARY, now=1.0, by="ada", why="")
                )
            assert await store.change(lambda _: []) == []
            return (await store.load()).revision, await store.log()

    assert asyncio.run(run()) == (1, [])
