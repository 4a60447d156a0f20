"""A model that does not change costs its shards no calls, and one that changes is handed on at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from actors import delta_assembly
from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.model_actor import ModelActor, ModelActorSettings
from actors.shard_host import ShardHost
from messages.content import ContentFacts
from messages.events import ContentMetadata
from messages.updates import Cursor, ModelDelta, ShardDelta, Span, Update
from tests.joined_traffic import LocalShard, wait_for

SYNC_SECONDS = 0.01
DELTAS_KEPT = 2
SETTINGS = ModelActorSettings(sync_every_seconds=SYNC_SECONDS, deltas_kept=DELTAS_KEPT)


class CountedShard(LocalShard):
    num_reads = 0

    async def deltas_since(self, cursors: Mapping[str, Cursor]) -> list[ShardDelta]:
        self.num_reads += 1
        return await super().deltas_since(cursors)


class Reader:
    """A replica that follows."""

    def __init__(self, model: ModelActor) -> None:
        self._model = model
        self.counter = 0

    def next(self) -> ModelDelta:
        found: list[ModelDelta] = []

        def comes() -> bool:
            found.extend(self._model.changes_after(self.counter, 1.0))
            return bool(found)

        wait_for(comes)
        self.counter = found[-1].version.counter
        return found[-1]


@pytest.fixture
def shards(hosts: dict[int, ShardHost]) -> list[CountedShard]:
    return [CountedShard(host) for host in hosts.values()]


@pytest.fixture
def model(
    endpoints: EndpointSettings, shards: list[CountedShard], started: Callable[[Any], ModelActor]
) -> ModelActor:
    return started(ModelActor(endpoints, shards, SETTINGS))


def learn(hosts: dict[int, ShardHost], message: int) -> None:
    """As a learner does: a model stands where the shard does that is furthest behind."""
    for host in hosts.values():
        host.apply_update(Update("production", 1, {0: Span(message, message + 1, 7, 1.0, 0)}))


def put(endpoints: EndpointSettings, content_id: str) -> None:
    async def run() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            facts = ContentFacts(content_id, "creator", 1.0, ContentMetadata())
            await Catalogue(connections.redis, connections.namespace).put(facts)

    asyncio.run(run())


def test_shards_are_read_once_or_twice_a_heartbeat_while_nothing_changes(
    monkeypatch: pytest.MonkeyPatch, model: ModelActor, shards: list[CountedShard]
) -> None:
    monkeypatch.setattr(delta_assembly, "HEARTBEAT_SECONDS", 20 * SYNC_SECONDS)
    reader = Reader(model)
    reader.next()
    before = [shard.num_reads for shard in shards]
    heartbeats = [reader.next() for _ in range(5)]
    assert not any(delta_assembly.has_news(after, heartbeats[0]) for after in heartbeats)
    assert max(shard.num_reads - reads for shard, reads in zip(shards, before, strict=True)) <= 12


def test_what_shards_learn_is_handed_on_before_any_heartbeat(
    monkeypatch: pytest.MonkeyPatch, model: ModelActor, hosts: dict[int, ShardHost]
) -> None:
    reader = Reader(model)
    reader.next()
    monkeypatch.setattr(delta_assembly, "HEARTBEAT_SECONDS", 3_600.0)
    for message in range(3):
        learn(hosts, message)
        while reader.next().positions[0].examples != message + 1:
            pass


def test_an_upload_is_handed_on_before_any_heartbeat(
    monkeypatch: pytest.MonkeyPatch, model: ModelActor, endpoints: EndpointSettings
) -> None:
    reader = Reader(model)
    reader.next()
    monkeypatch.setattr(delta_assembly, "HEARTBEAT_SECONDS", 3_600.0)
    for name in ("first", "second"):
        put(endpoints, name)
        while (contents := reader.next().contents) is None:
            pass
        assert contents.content_ids == [name]


def test_a_newcomer_gets_everything_before_any_heartbeat(
    monkeypatch: pytest.MonkeyPatch, model: ModelActor, hosts: dict[int, ShardHost]
) -> None:
    reader = Reader(model)
    assert reader.next().full
    monkeypatch.setattr(delta_assembly, "HEARTBEAT_SECONDS", 3_600.0)
    for message in range(DELTAS_KEPT + 1):
        learn(hosts, message)
        while reader.next().positions[0].examples != message + 1:
            pass
    newcomer = Reader(model)
    assert newcomer.next().full
    assert newcomer.counter == reader.counter
