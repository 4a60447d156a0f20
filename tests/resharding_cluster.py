"""The real shard hosts, clients and resharder in one process, and a stream of updates to count once.

Calls fail, answers get lost and shards die where a test says so.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from actors.model_groups import model_plan
from actors.parameter_client import ParameterClient
from actors.remote_actor import ActorAwayError
from actors.resharding import Resharder, ReshardingPace
from actors.shard_host import ShardHost
from actors.shard_host_settings import ShardHostSettings
from learners.training_settings import TrainingSettings
from messages.updates import (
    COUNTERS_GROUP,
    CounterRows,
    PullReply,
    PullRequest,
    RowGradients,
    Span,
    Update,
    UpdateOutcome,
    UpdateReply,
)
from parameter_server.group_state import GroupState
from parameter_server.shard import BucketPositions
from parameter_server.shard_map import ShardMap

GROUP = "production"
TRAINING = TrainingSettings()
PLAN = model_plan(TRAINING, 1)
WIDTH = PLAN.settings.slots["user"].dimension
DENSE_SHAPES = {name: np.shape(weights) for name, weights in PLAN.dense.items() if "bias" in name}
NUM_PARTITIONS = 2
NUM_MESSAGES = 14
IDS = np.arange(1, 121, dtype=np.uint64)
DEADLINE_SECONDS = 60.0
PACE = ReshardingPace(watch=0.01, equal=0.2)

Mishap = Literal["none", "call fails", "answer is lost", "shard dies"]


class Maps:
    """The map where all see it at once; what the store is otherwise."""

    def __init__(self, num_shards: int) -> None:
        self.newest = ShardMap.beginning(num_shards)
        self.problems: list[str | None] = []

    async def read(self) -> ShardMap:
        return self.newest

    async def change(self, change: Callable[[ShardMap], ShardMap]) -> ShardMap:
        self.newest = change(self.newest)
        return self.newest

    async def tell_problem(self, problem: str | None) -> None:
        self.problems.append(problem)


class MapForShards:
    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    def read(self, patience_seconds: float = 0.0) -> ShardMap:
        return self._maps.newest


class Cluster:
    """Hosts by number, reached by the resharder (`send`, `open`, `close_others`) and by clients (`shard`)."""

    def __init__(self, root: Path, num_shards: int, mishap: Mishap = "none", at_call: int = -1) -> None:
        self.maps = Maps(num_shards)
        self._settings = ShardHostSettings(snapshot_root=root, snapshot_every_seconds=0.02)
        self._mishap = mishap
        self._at_call = at_call
        self.num_calls = 0
        self.changed = asyncio.Condition()
        self.all_hosts: list[ShardHost] = []
        self.hosts = {shard: self.started(shard) for shard in range(num_shards)}

    def started(self, shard: int) -> ShardHost:
        nothing = np.empty(0, dtype=np.int64)
        host = ShardHost(
            shard, nothing, {GROUP: TRAINING}, NUM_PARTITIONS, self._settings, MapForShards(self.maps)
        )
        self.all_hosts.append(host)
        return host

    async def read(self) -> ShardMap:
        return await self.maps.read()

    def shard(self, shard: int) -> LocalShard:
        return LocalShard(self, shard)

    def send(self, shard: int, method: str, *arguments: Any) -> Awaitable[Any]:
        return asyncio.ensure_future(self._call(shard, method, *arguments))

    async def _call(self, shard: int, method: str, *arguments: Any) -> Any:
        ready = [await each if inspect.isawaitable(each) else each for each in arguments]
        await asyncio.sleep(0)  # learners come in between
        self.num_calls += 1
        mishap = self._mishap if self.num_calls == self._at_call else "none"
        if mishap == "call fails":
            raise ConnectionError("the call did not arrive")
        if mishap == "shard dies":
            self.hosts[shard] = self.started(shard)
            raise ConnectionError("the shard died")
        answer = getattr(self.hosts[shard], method)(*ready)
        if method == "export_buckets":
            make_read_only(answer)
        if mishap == "answer is lost":
            raise ConnectionError("the answer was lost")
        return answer

    async def open(self, shard: int) -> None:
        if shard not in self.hosts:
            self.hosts[shard] = self.started(shard)

    async def close_others(self, shards: list[int]) -> None:
        async with self.changed:
            self.hosts = {shard: self.hosts[shard] for shard in shards}
            self.changed.notify_all()

    async def reached(self, num_shards: int) -> None:
        """Return once the buckets lie on so many shards, and no other runs."""
        async with self.changed:
            await self.changed.wait_for(
                lambda: self.maps.newest.is_settled and sorted(self.hosts) == list(range(num_shards))
            )

    def client(self) -> ParameterClient:
        return ParameterClient(shard_map=self)

    def close(self) -> None:
        for host in self.all_hosts:
            host.close()


class LocalShard:
    def __init__(self, cluster: Cluster, shard: int) -> None:
        self._cluster = cluster
        self._shard = shard

    async def _host(self) -> ShardHost:
        await asyncio.sleep(0)  # calls of several clients and of the resharder come in any order
        if self._shard not in self._cluster.hosts:
            raise ActorAwayError(f"shard {self._shard} is gone")
        return self._cluster.hosts[self._shard]

    async def pull(self, request: PullRequest) -> PullReply:
        return (await self._host()).pull(request)

    async def apply_update(self, update: Update) -> UpdateReply:
        return (await self._host()).apply_update(update)

    async def apply_and_pull(
        self, update: Update, request: PullRequest
    ) -> tuple[UpdateReply, PullReply | None]:
        return (await self._host()).apply_and_pull(update, request)

    async def positions(self, group: str) -> BucketPositions:
        return (await self._host()).positions(group)


def make_read_only(exported: Mapping[str, GroupState]) -> None:
    """Do what the way to another process does to arrays."""
    for state in exported.values():
        arrays = [state.epochs, state.positions.examples, state.positions.feed, state.positions.applied]
        for table in state.slots.values():
            arrays += [table.ids, table.records, table.times]
        for dense in state.dense.values():
            arrays += [dense.values, dense.first, dense.second]
        if state.counters is not None:
            arrays += [state.counters.ids, state.counters.totals, state.counters.decayed]
        for array in arrays:
            array.flags.writeable = False


def update_of(group: str, partition: int, message: int) -> Update:
    """What one message of a partition does to a group; the same whenever it is asked for."""
    random = np.random.default_rng(2 * message + partition)
    spans = {partition: Span(message, message + 1, 10 * message, 1e9 + message, 5)}
    ids = np.sort(random.choice(IDS, 20, replace=False))
    if group == COUNTERS_GROUP:
        counters = CounterRows.zeros(ids)
        counters.totals[:] = 1 + message
        return Update(group, 1, spans, counters=counters, stream_time=1e9 + message)
    slopes = random.standard_normal((20, WIDTH)).astype(np.float32)
    rows = {"user": RowGradients(ids, slopes, np.ones(20, dtype=np.uint32))}
    dense = {
        name: np.full(shape, 0.1 * (1 + message), dtype=np.float32) for name, shape in DENSE_SHAPES.items()
    }
    return Update(group, 1, spans, rows=rows, dense=dense, stream_time=1e9 + message)


async def learn(client: ParameterClient, group: str, until: int = NUM_MESSAGES) -> None:
    """Push message after message, from where the buckets stand, until all stand at `until`."""
    while True:
        positions = await client.positions(group)
        standing = np.concatenate([part.examples for part in positions]).min(axis=0)
        if (standing >= until).all():
            return
        for message in range(int(standing.min()), until):
            outcomes = set()
            for partition in range(NUM_PARTITIONS):
                if message >= standing[partition]:
                    request = PullRequest(group, {} if group == COUNTERS_GROUP else {"user": IDS}, -1)
                    await client.pull(request)
                    replies, _ = await client.push_and_pull(update_of(group, partition, message), request)
                    outcomes |= {reply.outcome for reply in replies.values()}
            if not outcomes <= {UpdateOutcome.APPLIED, UpdateOutcome.DUPLICATE}:
                break


async def accounts(client: ParameterClient) -> dict[str, Any]:
    pulled = await client.pull(PullRequest(GROUP, {"user": IDS}, -1, counter_ids=IDS))
    assert pulled.counters is not None
    told: dict[str, Any] = {
        "totals": pulled.counters.totals.tolist(),
        "values": pulled.values["user"].tolist(),
        "dense": sorted(pulled.dense),
        "biases": {name: pulled.dense[name].tolist() for name in sorted(DENSE_SHAPES)},
    }
    for group in (GROUP, COUNTERS_GROUP):
        for part in await client.positions(group):
            rows = zip(part.examples.tolist(), part.feed.tolist(), part.applied.tolist(), strict=True)
            told |= {f"{group} {bucket}": row for bucket, row in zip(part.buckets, rows, strict=True)}
    return told


@functools.cache
def calm() -> dict[str, Any]:
    """The accounts of two shards that kept their buckets."""

    async def run(root: Path) -> dict[str, Any]:
        cluster = Cluster(root, 2)
        await asyncio.gather(learn(cluster.client(), GROUP), learn(cluster.client(), COUNTERS_GROUP))
        told = await accounts(cluster.client())
        cluster.close()
        return told

    with tempfile.TemporaryDirectory() as root:
        return asyncio.run(run(Path(root)))


async def scaled(root: Path, mishap: Mishap, at_call: int) -> tuple[dict[str, Any], Cluster]:
    """Learn while two shards become three and two again; returns the accounts."""
    cluster = Cluster(root, 2, mishap, at_call)
    stop = asyncio.Event()
    resharding = asyncio.create_task(Resharder(cluster.maps, cluster, PACE).run(stop))

    async def scale(num_shards: int) -> None:
        await cluster.maps.change(lambda known: known.with_goal(num_shards))
        await cluster.reached(num_shards)

    async def scale_twice() -> None:
        await scale(3)
        await scale(2)

    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(
            learn(cluster.client(), GROUP), learn(cluster.client(), COUNTERS_GROUP), scale_twice()
        )
        stop.set()
        await resharding
        # A shard that died at the end has gone back to its snapshot, and its learners go on from there.
        await asyncio.gather(learn(cluster.client(), GROUP), learn(cluster.client(), COUNTERS_GROUP))
        told = await accounts(cluster.client())
    cluster.close()
    return told, cluster
