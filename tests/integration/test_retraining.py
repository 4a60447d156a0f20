"""From the archive to a shadow that goes on where the archive ends: real streams, store and shards."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from actors.archive_actor import ArchiveActor
from actors.archive_files import ArchiveFiles, ArchiveSettings
from actors.archive_reader import files_to_read
from actors.connections import Connections, EndpointSettings
from actors.model_registry_store import ModelRegistryStore
from foryou import retrain_command
from foryou.client import Client
from foryou.retrain_command import run_retrain_command
from foryou.settings import SystemSettings, load_settings
from messages.examples import ExampleBatch
from serve_app.http.model_routes import model_routes
from serve_app.model_operations import ModelOperations
from simulations import archive_training
from simulations.archive_batches import read_chunks
from tests.integration.test_models_side_by_side import (
    FIRST_MODEL,
    SETTINGS,
    TRAINING,
    World,
    seconds_until,
    world,
)

__all__ = ["world"]  # a fixture

ROWS_OF_A_ROUND = 40
MORNING, NEXT_MORNING = 1_764_000_000.0, 1_764_086_400.0
FIRST, SECOND = "retrained-20251124-160000", "retrained-20251125-160000"


class RegistryOverHttp(httpx.BaseTransport):
    """Answers as a replica does, without a server: each request by the real routes on the real store."""

    def __init__(self, endpoints: EndpointSettings) -> None:
        self._endpoints = endpoints

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answer() -> httpx.Response:
            async with await Connections.open(self._endpoints, "test") as connections:
                store = ModelRegistryStore(connections.redis, connections.namespace, SETTINGS)
                app = FastAPI()
                app.include_router(model_routes(ModelOperations(store, TRAINING, time.time)))
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
                    asked = client.build_request(
                        request.method, request.url, content=request.content, headers=request.headers
                    )
                    answered = await client.send(asked)
                    return httpx.Response(answered.status_code, content=answered.content)

        return asyncio.run(answer())


def batches_here(
    files: ArchiveFiles, batch_rows: int, *, shuffle_seed: int | None = None
) -> Iterator[ExampleBatch]:
    """Read the archive as Ray Data's tasks do, one after the other in this process."""
    for file in files_to_read(files, "examples"):
        row = {"stream": file.stream, "first": file.first, "last": file.last, "path": file.path}
        for chunk in read_chunks(row, root=files.root, batch_rows=batch_rows, shuffle_seed=shuffle_seed):
            yield ExampleBatch.decode(chunk["data"])


def train_here(
    settings: SystemSettings, *, snapshots: str | None, say: Callable[[str], None]
) -> dict[str, Any]:
    assert settings.archive.uri is not None
    assert snapshots is not None
    files = ArchiveFiles(settings.archive.uri)
    partitions = settings.num_partitions
    trained = archive_training.train_on_archive(files, settings.training, num_partitions=partitions, say=say)
    trained.write_snapshot(snapshots, goes_on=True)
    return {"archive": settings.archive.uri, "examples": trained.rows}


def test_what_is_archived_is_trained_on_and_enters_as_a_shadow_that_goes_on_after_it(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive_training, "archived_batches", batches_here)
    settings = load_settings(
        flags={
            "services": {"state": str(tmp_path / "state")},
            "archive": {"uri": str(tmp_path / "archive")},
            "num_partitions": world.endpoints.num_partitions,
        },
        environment={},
    )

    def ask(_: SystemSettings, question: Callable[[Client], dict[str, Any]], __: object) -> dict[str, Any]:
        with Client("http://foryou", transport=RegistryOverHttp(world.endpoints)) as client:
            return question(client)

    monkeypatch.setattr(retrain_command, "ask_running", ask)

    def learned(group: str) -> int:
        learner = world.parts.learners.get(group)
        return 0 if learner is None else int(learner.status()["examples"])

    def archive() -> None:
        ArchiveActor(world.endpoints, ArchiveSettings(uri=settings.archive.uri)).stop()

    retrain = functools.partial(run_retrain_command, settings, train=train_here)

    world.watch()
    seconds_until(lambda: learned(FIRST_MODEL) == ROWS_OF_A_ROUND, world.models.status)
    archive()
    report = retrain(now=MORNING)
    assert (report["model_id"], report["retired"], report["examples"]) == (FIRST, [], ROWS_OF_A_ROUND)
    seconds_until(lambda: FIRST in world.parts.learners, world.models.status)
    world.watch()
    seconds_until(lambda: learned(FIRST_MODEL) == 2 * ROWS_OF_A_ROUND, world.models.status)
    seconds_until(lambda: learned(FIRST) == ROWS_OF_A_ROUND, world.models.status)

    archive()
    assert retrain(now=NEXT_MORNING)["retired"] == [FIRST]
    seconds_until(lambda: set(world.parts.learners) == {FIRST_MODEL, SECOND}, world.models.status)
    overview = ask(settings, lambda client: client.models(), None)
    models = {model["model_id"]: model for model in overview["models"]}
    assert {name: model["stage"] for name, model in models.items()} == {
        FIRST_MODEL: "production",
        SECOND: "shadow",
    }
    (version,) = models[SECOND]["pinned"]
    seconds_until(lambda: all(shard.do("keep_pinned", [version]) for shard in world.shards.values()))
