"""An emptied store and emptied snapshots are filled again from archive and streams: the same states."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from actors.archive_actor import ArchiveActor
from actors.archive_files import ArchiveSettings
from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.counter_writer import CounterWriter
from actors.examples_follower import BatchingSettings
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.parameter_client import ParameterClient
from actors.shard_host import ShardHost
from actors.shard_readers import START
from actors.state_rebuild import RebuildError
from foryou.cli import app
from foryou.local_services import StateFolder
from foryou.rebuild_command import run_rebuild_command
from foryou.settings import SystemSettings, load_settings
from learners.joiner import JoinerSettings
from messages.content import ContentFacts
from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTERS_GROUP, ShardDelta
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import restore_latest
from tests.joined_traffic import CONTENTS, TRAINING, publish, publish_impressions, views, wait_for

USERS = [f"user-{index}" for index in range(12)]
KINDS = ("state", "join", "position")
GROUP = "production"


def settings_for(endpoints: EndpointSettings, folder: Path, archive: Path | None) -> SystemSettings:
    return load_settings(
        environment={},
        flags={
            "namespace": endpoints.namespace,
            "num_partitions": endpoints.num_partitions,
            "services": {
                "nats_url": endpoints.nats_url,
                "store_url": endpoints.store_url,
                "state": str(folder),
            },
            "archive": {} if archive is None else {"uri": str(archive)},
        },
    )


def uploads() -> list[dict[str, Any]]:
    return [
        {
            "event_type": "content_upload",
            "event_id": f"upload-{content}",
            "creator_id": "creator",
            "content_id": content,
            "timestamp": 1_764_000_000.0,
            "metadata": {"category": "cats", "duration": 10.0},
        }
        for content in CONTENTS
    ]


async def kept(endpoints: EndpointSettings) -> dict[str, bytes]:
    """Return the keys that a rebuild must bring back, as they are now."""
    async with await Connections.open(endpoints, "test") as connections:
        keys: list[str] = []
        for kind in KINDS:
            pattern = connections.namespace.key(kind, "*")
            keys += [key.decode() async for key in connections.redis.scan_iter(pattern)]
        values = await connections.redis.mget(sorted(keys))
        return dict(zip(sorted(keys), values, strict=True))


async def catalogue_of(endpoints: EndpointSettings) -> list[ContentFacts]:
    async with await Connections.open(endpoints, "test") as connections:
        everything = await Catalogue(connections.redis, connections.namespace).all()
        return sorted(everything.contents, key=lambda facts: facts.content_id)


async def empty_the_store(endpoints: EndpointSettings) -> None:
    async with await Connections.open(endpoints, "test") as connections:
        async for key in connections.redis.scan_iter(connections.namespace.key("*")):
            await connections.redis.delete(key)


async def trim_streams(endpoints: EndpointSettings) -> None:
    """Drop the older half of both streams."""
    async with await Connections.open(endpoints, "test") as connections:
        namespace = connections.namespace
        for stream in (namespace.feed_stream, namespace.examples_stream):
            info = await connections.js.stream_info(stream)
            await connections.js.purge_stream(stream, seq=info.state.last_seq // 2)


def joined_everything(
    endpoints: EndpointSettings, started: Callable[[Any], Any], archive: Path
) -> dict[str, bytes]:
    """Let joiner and archivist take in a stream, stop them, and return what the store then has."""
    joiner = started(JoinerActor(endpoints, JoinerSettings(), range(endpoints.num_partitions)))
    archivist = started(ArchiveActor(endpoints, ArchiveSettings(uri=str(archive), max_wait_seconds=0.2)))
    publish(endpoints, uploads())
    publish_impressions(endpoints, USERS)
    for content in CONTENTS:
        publish(endpoints, views(USERS, [content]))
    publish(endpoints, views(USERS[:4], CONTENTS), raw=b"\xc1 not a message")
    expected = len(USERS) * len(CONTENTS) + len(CONTENTS)
    wait_for(lambda: joiner.status()["examples"] == expected, joiner.status)
    wait_for(lambda: joiner.status()["duplicates"] == 4 * len(CONTENTS), joiner.status)
    joiner.stop()
    archivist.stop()
    return asyncio.run(kept(endpoints))


def test_the_archive_and_what_is_left_of_the_streams_bring_back_the_same(
    endpoints: EndpointSettings, started: Callable[[Any], Any], tmp_path: Path
) -> None:
    before = joined_everything(endpoints, started, tmp_path / "archive")
    assert len(before) > 2 * len(USERS)
    asyncio.run(empty_the_store(endpoints))
    asyncio.run(trim_streams(endpoints))
    settings = settings_for(endpoints, tmp_path / "state", tmp_path / "archive")
    report = run_rebuild_command(settings)
    assert asyncio.run(kept(endpoints)) == before
    assert asyncio.run(catalogue_of(endpoints)) == sorted(
        (ContentFacts.from_upload(event) for event in uploads()), key=lambda facts: facts.content_id
    )
    assert report["from_archive"] > 0
    assert report["examples_learned"] == len(USERS) * len(CONTENTS) + len(CONTENTS)
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "read")
    assert restore_latest(shard, tmp_path / "state" / "snapshots" / endpoints.namespace) is not None
    for group in (GROUP, COUNTERS_GROUP):
        positions = shard.positions(group)
        assert positions.examples_applied().sum() == report["examples_learned"]
        assert {p: position.feed for p, position in positions.lowest().items()} == report["positions"]


def everything_in(shard: ShardHost | ParameterShard, group: str) -> ShardDelta:
    if isinstance(shard, ParameterShard):
        return shard.deltas_since(group, *START)
    (delta,) = shard.deltas_since({group: START})
    return delta


def learned_by(
    shards: Iterable[ShardHost | ParameterShard],
) -> tuple[dict[int, list[int]], dict[str, list[int]], dict[tuple[str, int], int]]:
    """Return what shards hold together: totals by content, rows by slot, and by group and partition how many
    examples every bucket has applied."""
    totals: dict[int, list[int]] = {}
    rows: dict[str, list[int]] = {}
    applied: dict[tuple[str, int], int] = {}
    for shard in shards:
        counters = everything_in(shard, COUNTERS_GROUP).counters
        assert counters is not None
        totals |= dict(zip(counters.ids.tolist(), counters.totals.tolist(), strict=True))
        for slot, part in everything_in(shard, GROUP).rows.items():
            rows[slot] = sorted([*rows.get(slot, []), *part.ids.tolist()])
        for group in (GROUP, COUNTERS_GROUP):
            for partition, counts in enumerate(shard.positions(group).applied.T):
                (count,) = np.unique(counts).tolist()
                assert applied.setdefault((group, partition), count) == count
    return totals, rows, applied


def test_emptied_snapshots_come_back_with_all_that_the_shards_had_learned(
    endpoints: EndpointSettings,
    client: ParameterClient,
    hosts: dict[int, ShardHost],
    started: Callable[[Any], Any],
    tmp_path: Path,
) -> None:
    partitions = range(endpoints.num_partitions)
    started(CounterWriter(endpoints, client, partitions, BatchingSettings()))
    started(LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings(group=GROUP)))
    before = joined_everything(endpoints, started, tmp_path / "archive")
    expected = len(USERS) * len(CONTENTS) + len(CONTENTS)

    def through() -> bool:
        standing = [host.positions(group) for host in hosts.values() for group in (GROUP, COUNTERS_GROUP)]
        return all(int(positions.examples_applied().sum()) == expected for positions in standing)

    wait_for(through)
    learned = learned_by(hosts.values())
    asyncio.run(trim_streams(endpoints))
    settings = settings_for(endpoints, tmp_path / "state", tmp_path / "archive")
    report = run_rebuild_command(settings)
    assert report["store_was_empty"] is False
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "read")
    assert restore_latest(shard, tmp_path / "state" / "snapshots" / endpoints.namespace) is not None
    assert learned_by([shard]) == learned
    assert asyncio.run(kept(endpoints)) == before


def test_a_second_rebuild_changes_nothing(
    endpoints: EndpointSettings, started: Callable[[Any], Any], tmp_path: Path
) -> None:
    before = joined_everything(endpoints, started, tmp_path / "archive")
    asyncio.run(trim_streams(endpoints))
    settings = settings_for(endpoints, tmp_path / "state", tmp_path / "archive")
    first = run_rebuild_command(settings)
    assert first["store_was_empty"] is False
    assert first["snapshot"] is not None
    second = run_rebuild_command(settings)
    assert (second["snapshot"], second["examples_learned"]) == (None, 0)
    assert asyncio.run(kept(endpoints)) == before


def test_what_is_neither_in_the_stream_nor_archived_is_named(
    endpoints: EndpointSettings, started: Callable[[Any], Any], tmp_path: Path
) -> None:
    joined_everything(endpoints, started, tmp_path / "archive")
    asyncio.run(empty_the_store(endpoints))
    asyncio.run(trim_streams(endpoints))
    with pytest.raises(RebuildError, match=r"1 to \d+ are neither there nor in the archive"):
        run_rebuild_command(settings_for(endpoints, tmp_path / "state", None))


def test_while_a_system_runs_on_the_folder_nothing_is_rebuilt(tmp_path: Path) -> None:
    with StateFolder(tmp_path):
        refused = CliRunner().invoke(app, ["rebuild", "--state", str(tmp_path)])
    assert refused.exit_code == 2
    assert "another foryou runs on" in refused.stderr
