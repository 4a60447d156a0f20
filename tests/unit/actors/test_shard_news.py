"""Who waits for news of a shard is told of every change that there is to read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from actors.paced_snapshots import PacedSnapshots
from actors.shard_news import ShardNews
from messages.identifiers import NUM_BUCKETS
from messages.updates import Span, Update
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard, UnknownGroupError

LONG_SECONDS = 60.0


def shard_of(incarnation: str) -> ParameterShard:
    made = ParameterShard(0, np.arange(NUM_BUCKETS), incarnation)
    for group in ("model", "counters"):
        made.create_group(
            group, GroupSettings(slots={"user": SlotSettings(dimension=2)}, num_partitions=1), {}
        )
    return made


@pytest.fixture
def shard() -> ParameterShard:
    return shard_of("life")


@pytest.fixture
def snapshots(shard: ParameterShard, tmp_path: Path) -> Iterator[PacedSnapshots]:
    paced = PacedSnapshots(shard, tmp_path, every_seconds=1e9, num_kept=2)
    yield paced
    paced.close()


@pytest.fixture
def news(shard: ParameterShard, snapshots: PacedSnapshots) -> ShardNews:
    made = ShardNews()
    made.begin(shard, snapshots)
    return made


def learn(shard: ParameterShard, group: str, message: int = 0) -> None:
    shard.apply_update(Update(group, 1, {0: Span(message, message + 1, 0, 0.0, 0)}))


def test_there_are_none_for_who_has_read_everything(news: ShardNews) -> None:
    assert not news.wait({"model": (0, "life"), "counters": (0, "life")}, 0.0)


@pytest.mark.parametrize("group", ["model", "counters"])
def test_a_reader_is_told_of_what_came_before_it_asked(
    news: ShardNews, shard: ParameterShard, group: str
) -> None:
    learn(shard, group)
    assert news.wait({"model": (0, "life"), "counters": (0, "life")}, LONG_SECONDS)
    assert not news.wait({"model": (0, "life"), "counters": (0, "life")} | {group: (1, "life")}, 0.0)


def test_readers_that_wait_are_told_of_a_change_of_a_group_of_theirs(
    news: ShardNews, shard: ParameterShard
) -> None:
    with ThreadPoolExecutor(2) as waiting:
        readers = [waiting.submit(news.wait, {"model": (0, "life")}, LONG_SECONDS) for _ in range(2)]
        learn(shard, "counters")
        news.tell()
        assert not any(reader.done() for reader in readers)
        learn(shard, "model")
        news.tell()
        assert all(reader.result() for reader in readers)


def test_another_life_of_the_shard_is_news(
    news: ShardNews, shard: ParameterShard, snapshots: PacedSnapshots
) -> None:
    with ThreadPoolExecutor(1) as waiting:
        reader = waiting.submit(news.wait, {"model": (0, "life")}, LONG_SECONDS)
        news.begin(shard_of("next life"), snapshots)
        assert reader.result()


def test_a_snapshot_that_goes_on_with_calls_is_news_until_it_is_written(
    news: ShardNews, shard: ParameterShard, snapshots: PacedSnapshots
) -> None:
    learn(shard, "model")
    ticket = snapshots.request()
    while snapshots.location(ticket) is None:
        assert news.wait({"model": (1, "life")}, 0.0)
    assert not news.wait({"model": (1, "life")}, 0.0)


def test_of_a_group_that_is_not_there_nobody_can_be_told(news: ShardNews) -> None:
    with pytest.raises(UnknownGroupError):
        news.wait({"another": (0, "life")}, LONG_SECONDS)
