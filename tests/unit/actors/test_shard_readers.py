"""Deltas of shards that come and go: each bucket is heard where the map says, and after a move all anew."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np

from actors.shard_readers import START, ShardReaders
from messages.arrays import IdArray
from messages.identifiers import buckets_of
from messages.updates import Cursor, Rows, ShardDelta
from parameter_server.shard_map import ShardMap

IDS = np.arange(1, 400, dtype=np.uint64)
GROUP = "model"


class Source:
    """A shard that has not let go of anything yet: it tells of every row."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.asked: list[Cursor] = []
        self.waited_at: list[dict[str, Cursor]] = []

    async def deltas_since(self, cursors: Mapping[str, Cursor]) -> list[ShardDelta]:
        self.asked += cursors.values()
        return [self.delta(group, version) for group, (version, _) in cursors.items()]

    async def wait_for_news(self, cursors: Mapping[str, Cursor], seconds: float) -> bool:
        self.waited_at.append(dict(cursors))
        return True

    def delta(self, group: str, version: int) -> ShardDelta:
        return ShardDelta(
            group=group,
            incarnation=f"life-{self.shard}",
            from_version=version,
            to_version=version + 5,
            full=version < 0,
            rows={"user": Rows(IDS, np.full((len(IDS), 1), self.shard, dtype=np.float32))},
            removed={"user": IDS},
            dense={},
            counters=None,
            positions={},
        )


def told(readers: ShardReaders, *, everything: bool) -> dict[int, IdArray]:
    deltas = asyncio.run(readers.read(everything=everything))
    readers.move_on(deltas)
    for _, delta in deltas:
        assert delta.removed["user"].tolist() == delta.rows["user"].ids.tolist()
    return {shard: delta.rows["user"].ids for shard, delta in deltas}


def test_of_two_shards_that_tell_of_a_row_the_one_that_the_map_names_is_heard() -> None:
    readers = ShardReaders(Source, [GROUP])
    shard_map = ShardMap.beginning(2).with_goal(3)
    readers.follow(shard_map)
    told(readers, everything=True)
    for move in shard_map.moves():
        shard_map = shard_map.moved(move)
        readers.follow(shard_map)
        heard = told(readers, everything=True)
        for shard, ids in heard.items():
            assert (shard_map.homes[buckets_of(ids)] == shard).all()
        assert sorted(np.concatenate(list(heard.values())).tolist()) == IDS.tolist()


def test_everything_is_read_anew_after_a_move_until_it_has_been_handed_on() -> None:
    readers = ShardReaders(Source, [GROUP])
    shard_map = ShardMap.beginning(2).with_goal(1)
    readers.follow(shard_map)
    assert readers.must_begin_anew
    told(readers, everything=True)
    readers.follow(shard_map)
    assert not readers.must_begin_anew
    readers.follow(shard_map.moved(shard_map.moves()[0]))
    asyncio.run(readers.read(everything=True))  # and then the store was away: nothing was handed on
    assert readers.must_begin_anew
    told(readers, everything=True)
    assert not readers.must_begin_anew


def test_fixed_shards_are_read_from_where_they_were_left() -> None:
    sources = [Source(0), Source(1)]
    readers = ShardReaders(sources, [GROUP])
    assert not readers.follows_map
    told(readers, everything=True)
    told(readers, everything=False)
    assert [source.asked for source in sources] == [[(-1, ""), (4, f"life-{shard}")] for shard in (0, 1)]


def test_news_are_waited_for_at_each_shard_from_where_every_group_was_left() -> None:
    sources = [Source(0), Source(1)]
    readers = ShardReaders(sources, [GROUP, "counters"])

    async def wait() -> None:
        for place in readers.waiting().values():
            assert await place(1.0)

    asyncio.run(wait())
    told(readers, everything=True)
    asyncio.run(wait())
    for source in sources:
        standing = (4, f"life-{source.shard}")
        assert source.waited_at == [
            {GROUP: START, "counters": START},
            {GROUP: standing, "counters": standing},
        ]


def test_a_model_is_not_read_whole_where_a_bucket_moves_meanwhile() -> None:
    before = ShardMap.beginning(2).with_goal(3)
    after = before.moved(before.moves()[0])
    readers = ShardReaders(Source, [GROUP])
    readers.follow(before)

    async def newest(shard_map: ShardMap) -> ShardMap:
        return shard_map

    assert asyncio.run(readers.read_whole(lambda: newest(after))) is None
    whole = asyncio.run(readers.read_whole(lambda: newest(before)))

    assert whole is not None
    assert sum(len(delta.rows["user"].ids) for _, delta in whole) == len(IDS)
    readers.move_on(whole)
    readers.follow(after)
    assert readers.must_begin_anew
