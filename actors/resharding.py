"""Brings the shards of a running system to the number that is wanted, one move of buckets after another.

The map of shards in the store is the authority, and its goal all there is to remember: whoever dies half-way,
what is left to do is the difference between the two. A move: pushes to its two shards stop at equal
positions; the buckets are copied to the target with the positions they stand at; the map changes; the source
lets them go; pushes go on. Until the map changes nothing has happened, and the target lets go again; from
then on the target is their home, and the source, or a target that died of it, settles by itself
(`actors.shard_host`).

No step need be undone for the events to count once, since every bucket carries its own positions and no shard
applies what was cut for other buckets than it has (`parameter_server.hosted_buckets`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from actors.shard_map_store import ShardMapUnavailableError
from messages.arrays import IntArray
from parameter_server.shard_map import BucketMove, ShardMap

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.01

_Standing = Mapping[str, tuple[IntArray, IntArray]]


@dataclass(frozen=True, slots=True)
class ReshardingPace:
    """Seconds. watch: between two looks at the map. lease: how long gates stay closed if nobody opens them.
    equal: how long to wait for equal positions. snapshot: how long for the snapshots at the end."""

    watch: float = 0.5
    lease: float = 30.0
    equal: float = 5.0
    snapshot: float = 120.0


class ShardMaps(Protocol):
    """The map in the store: `actors.shard_directory.ShardDirectory`."""

    async def read(self) -> ShardMap: ...

    async def change(self, change: Callable[[ShardMap], ShardMap]) -> ShardMap: ...

    async def tell_problem(self, problem: str | None) -> None: ...


class ShardControl(Protocol):
    """The shards' processes: `actors.cluster` has the real ones."""

    def send(self, shard: int, method: str, *arguments: Any) -> Awaitable[Any]:
        """Call a shard's method. An answer that is not there yet may be an argument of another call."""

    async def open(self, shard: int) -> None:
        """Start a shard that has no buckets yet; one that runs stays."""

    async def close_others(self, shards: list[int]) -> None:
        """End the shards that are not among these."""


class Resharder:
    """Watches the map and moves buckets while it is not settled."""

    def __init__(self, maps: ShardMaps, control: ShardControl, pace: ReshardingPace | None = None) -> None:
        self._maps = maps
        self._control = control
        self._pace = pace or ReshardingPace()
        self._held: set[int] = set()
        """Shards whose gates may be closed: until one has said that it is open, it is asked to open again."""

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the goal until told to stop. A move that fails is tried again, and the failure told."""
        told: str | None = "what a former process told last"
        is_map_away = False
        while not stop.is_set():
            problem: str | None = None
            try:
                await self.bring_to_goal(stop)
                is_map_away = False
            except ShardMapUnavailableError as error:
                if not is_map_away:
                    logger.warning("the map of shards is not there, asking again: %s", error)
                is_map_away = True
            except Exception as error:
                logger.exception("a move of buckets failed and will be tried again")
                problem = f"{type(error).__name__}: {error}"
            if problem != told:
                await self._tell(problem)
                told = problem
            try:
                await asyncio.wait_for(stop.wait(), self._pace.watch)
            except TimeoutError:
                continue

    async def bring_to_goal(self, stop: asyncio.Event) -> None:
        """Do what moves are left. Raises what a shard or the store raises; the map says what was done."""
        shard_map = await self._maps.read()
        await self._let_go_on()
        targets: set[int] = set()
        while moves := shard_map.moves():
            if stop.is_set():
                return
            shard_map = await self._move(moves[0])
            targets.add(moves[0].target)
        await self._write_snapshots(sorted(targets))
        await self._control.close_others(shard_map.shards)
        self._held &= set(shard_map.shards)

    async def _move(self, move: BucketMove) -> ShardMap:
        source, target = move.source, move.target
        await self._control.open(target)
        self._held |= {source, target}
        try:
            for shard in (source, target):
                await self._control.send(shard, "settle")
            await self._stop_at_equal_positions(source, target)
            exported = self._control.send(source, "export_buckets", move.buckets)
            await self._control.send(target, "import_buckets", exported)
            shard_map = await self._maps.change(lambda known: known.moved(move))
        except BaseException:
            with contextlib.suppress(Exception):  # what failed first is raised, and this is tried again
                await self._let_go_on()
            raise
        await self._let_go_on()
        logger.info("%d buckets went from shard %d to %d", len(move.buckets), source, target)
        return shard_map

    async def _let_go_on(self) -> None:
        """Fit shards whose gates are closed to the map as it is now, and open their gates. One that cannot be
        reached opens after its lease, and settles when somebody sends it what does not fit."""
        for shard in sorted(self._held):
            await self._control.send(shard, "settle")
            await self._control.send(shard, "open_gate")
            self._held.discard(shard)

    async def _stop_at_equal_positions(self, source: int, target: int) -> None:
        """Close both gates where the one that is further stands, and let the other come up to it.

        Where no learner pushes that could bring it up, the move goes on all the same: buckets carry their
        positions, and the learner brings those that are behind up alone.
        """
        deadline = time.monotonic() + self._pace.equal
        ends: dict[str, IntArray] | None = None
        while True:
            standing: list[_Standing] = [
                await self._control.send(shard, "close_gate", self._pace.lease, ends)
                for shard in (source, target)
            ]
            highest = _highest(standing)
            if ends is not None and _all_stand_at(standing, ends) and ends.keys() == highest.keys():
                return
            if time.monotonic() >= deadline:
                logger.warning("shards %d and %d move buckets at different positions", source, target)
                return
            if ends is not None:
                await asyncio.sleep(_POLL_SECONDS)
            ends = highest

    async def _write_snapshots(self, shards: list[int]) -> None:
        """Let the new homes write down what they got: until then it is in the old homes' snapshots alone."""
        tickets = {shard: await self._control.send(shard, "request_snapshot") for shard in shards}
        deadline = time.monotonic() + self._pace.snapshot
        for shard, ticket in tickets.items():
            while await self._control.send(shard, "snapshot_location", ticket) is None:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"shard {shard} wrote no snapshot in {self._pace.snapshot:.0f} s")
                await asyncio.sleep(_POLL_SECONDS)

    async def _tell(self, problem: str | None) -> None:
        try:
            await self._maps.tell_problem(problem)
        except ShardMapUnavailableError as error:
            logger.warning("cannot tell %r: %s", problem, error)


def _highest(standing: list[_Standing]) -> dict[str, IntArray]:
    highest: dict[str, IntArray] = {}
    for of_shard in standing:
        for group, (_, upper) in of_shard.items():
            highest[group] = np.maximum(highest.get(group, upper), upper)
    return highest


def _all_stand_at(standing: list[_Standing], ends: Mapping[str, IntArray]) -> bool:
    return all(
        np.array_equal(lower, ends[group]) and np.array_equal(upper, ends[group])
        for of_shard in standing
        for group, (lower, upper) in of_shard.items()
        if group in ends
    )
