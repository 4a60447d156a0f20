"""Reads what changed from every shard there is, each from where it was last read, also when buckets move."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from actors.awaited_news import Place
from messages.arrays import BoolArray, IdArray, IntArray
from messages.identifiers import NUM_BUCKETS, buckets_of
from messages.updates import Cursor, ShardDelta
from parameter_server.dense_parameters import bucket_of_dense
from parameter_server.shard_map import ShardMap

START: Cursor = (-1, "")
"""Before everything: what is read from here is full."""


class DeltaSource(Protocol):
    """One shard, seen from here."""

    async def deltas_since(self, cursors: Mapping[str, Cursor]) -> list[ShardDelta]:
        """Return what changed in each group after its cursor."""

    async def wait_for_news(self, cursors: Mapping[str, Cursor], seconds: float) -> bool:
        """Wait until there is something to read after one of the cursors; False: `seconds` went by."""


class ShardReaders:
    """Cursors by shard and group. Of each shard only those buckets count that the map gives it."""

    def __init__(
        self, shards: Sequence[DeltaSource] | Callable[[int], DeltaSource], groups: Sequence[str]
    ) -> None:
        """shards: those there are for good, or what finds one by its number on the map given to `follow`."""
        self._groups = list(groups)
        self._find = shards if callable(shards) else None
        self._shards = {} if callable(shards) else dict(enumerate(shards))
        self._cursors: dict[tuple[int, str], Cursor] = {}
        self._map: ShardMap | None = None

    @property
    def follows_map(self) -> bool:
        return self._find is not None

    @property
    def must_begin_anew(self) -> bool:
        """Whether buckets have moved since the last `move_on`: then everything must be read, since a shard
        that a bucket has left may have been about to tell of a removal."""
        return not self._cursors

    def follow(self, newest: ShardMap) -> None:
        """Read from the shards of this map from now on."""
        assert self._find is not None
        if self._map is not None and self._map.generation == newest.generation:
            return
        self._map = newest
        self._shards = {shard: self._shards.get(shard) or self._find(shard) for shard in newest.shards}
        self._cursors.clear()

    async def read(self, *, everything: bool) -> list[tuple[int, ShardDelta]]:
        """Return the delta of every shard and group, with the shard; cursors stay (`move_on`)."""
        start = dict.fromkeys(self._groups, START)
        told = await asyncio.gather(
            *(
                source.deltas_since(start if everything else self._cursors_of(shard))
                for shard, source in self._shards.items()
            )
        )
        return [
            (shard, self._own(shard, delta))
            for shard, deltas in zip(self._shards, told, strict=True)
            for delta in deltas
        ]

    def waiting(self) -> dict[str, Place]:
        """Return, by shard, what waits there for so many seconds until there is more than was read."""
        return {
            f"shard {shard}": functools.partial(source.wait_for_news, self._cursors_of(shard))
            for shard, source in self._shards.items()
        }

    def _cursors_of(self, shard: int) -> dict[str, Cursor]:
        return {group: self._cursors.get((shard, group), START) for group in self._groups}

    async def read_whole(
        self, newest: Callable[[], Awaitable[ShardMap]]
    ) -> list[tuple[int, ShardDelta]] | None:
        """Read everything; None where buckets moved meanwhile. newest: reads the map.

        A source lets a bucket go once the map has changed, so a bucket that moves between a look at the map
        and the read may stand nowhere in what was read, nor its dense weights: a whole model it would not be.
        """
        shard_deltas = await self.read(everything=True)
        if self._map is not None and (await newest()).generation != self._map.generation:
            return None
        return shard_deltas

    def move_on(self, shard_deltas: Sequence[tuple[int, ShardDelta]]) -> None:
        """Read from here next time: what was read has been handed on."""
        for shard, delta in shard_deltas:
            self._cursors[shard, delta.group] = (delta.to_version, delta.incarnation)

    def _own(self, shard: int, delta: ShardDelta) -> ShardDelta:
        return delta if self._map is None else delta_of_buckets(delta, self._map.homes == shard)


def delta_of_buckets(delta: ShardDelta, wanted: BoolArray) -> ShardDelta:
    """Return what belongs to wanted buckets: a shard that a bucket has just left may still tell of it.

    wanted: bool [NUM_BUCKETS].
    """
    if wanted.all():
        return delta
    assert wanted.shape == (NUM_BUCKETS,)

    def own(ids: IdArray) -> IntArray:
        return np.flatnonzero(wanted[buckets_of(ids)])

    counters = delta.counters
    return dataclasses.replace(
        delta,
        rows={slot: rows.take(own(rows.ids)) for slot, rows in delta.rows.items()},
        removed={slot: ids[own(ids)] for slot, ids in delta.removed.items()},
        dense={name: weights for name, weights in delta.dense.items() if wanted[bucket_of_dense(name)]},
        counters=None if counters is None else counters.take(own(counters.ids)),
    )
