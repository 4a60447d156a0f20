"""Which shard hosts which bucket, as all agree, and the moves from one number of shards to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from messages.arrays import IntArray
from messages.identifiers import NUM_BUCKETS
from parameter_server.routing import ShardRouter, assign_buckets


@dataclass(frozen=True, slots=True)
class BucketMove:
    """source, target: shards. buckets: what goes from one to the other, int64 [b]."""

    source: int
    target: int
    buckets: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ShardMap:
    """The map that shards, learners and readers go by; it changes one move at a time.

    generation: rises with every change of a bucket's home. homes: the shard of each bucket, int64
    [NUM_BUCKETS]. goal: how many shards are wanted; the map is settled when the buckets lie as they would if
    there had never been another number. configured: what the settings said when the goal last followed them.
    """

    generation: int
    homes: IntArray
    goal: int
    configured: int

    @classmethod
    def beginning(cls, num_shards: int) -> ShardMap:
        return cls(1, assign_buckets(num_shards), num_shards, num_shards)

    @property
    def shards(self) -> list[int]:
        """The shards that host a bucket, rising."""
        return [int(shard) for shard in np.unique(self.homes)]

    @property
    def is_settled(self) -> bool:
        return bool(np.array_equal(self.homes, assign_buckets(self.goal)))

    def buckets_of(self, shard: int) -> IntArray:
        """Return the buckets of a shard, int64, rising; none for one that the map does not name."""
        return np.flatnonzero(self.homes == shard)

    def router(self) -> ShardRouter:
        return ShardRouter(self.homes)

    def moves(self) -> list[BucketMove]:
        """Return what is left to do until the map is settled; only buckets that must move do."""
        wanted = assign_buckets(self.goal)
        pairs = sorted({(int(a), int(b)) for a, b in zip(self.homes, wanted, strict=True) if a != b})
        return [
            BucketMove(source, target, np.flatnonzero((self.homes == source) & (wanted == target)))
            for source, target in pairs
        ]

    def moved(self, move: BucketMove) -> ShardMap:
        """Return the map after a move. Raises ValueError if a bucket is not where the move begins."""
        if not (self.homes[move.buckets] == move.source).all():
            raise ValueError(f"not all of {len(move.buckets)} buckets are at shard {move.source} any more")
        homes = self.homes.copy()
        homes[move.buckets] = move.target
        return dataclasses.replace(self, generation=self.generation + 1, homes=homes)

    def with_goal(self, num_shards: int) -> ShardMap:
        """Return the map with another number of shards wanted; no bucket has moved yet."""
        assign_buckets(num_shards)  # raises for a number that cannot be
        return dataclasses.replace(self, goal=num_shards)

    def started_with(self, configured: int) -> ShardMap:
        """Return the map to start all shards by, while none runs: each bucket is restored where it lies then.

        A number in the settings that has changed since is a wish newer than the last scaling; else the goal
        of the last scaling holds, also if it was not reached.
        """
        goal = self.goal if configured == self.configured else configured
        homes = assign_buckets(goal)
        generation = self.generation + (not np.array_equal(homes, self.homes))
        return ShardMap(generation, homes, goal, configured)

    def to_wire(self) -> dict[str, Any]:
        return {
            "generation": self.generation,
            "homes": self.homes.tolist(),
            "goal": self.goal,
            "configured": self.configured,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> ShardMap:
        """Raises ValueError for a map of another number of buckets."""
        homes = np.asarray(wire["homes"], dtype=np.int64)
        if homes.shape != (NUM_BUCKETS,):
            raise ValueError(f"a map of {len(homes)} buckets, not {NUM_BUCKETS}")
        return cls(int(wire["generation"]), homes, int(wire["goal"]), int(wire["configured"]))
