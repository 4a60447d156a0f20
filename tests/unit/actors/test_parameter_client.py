"""One parameter server out of several shards, pushed to and read from in the same calls."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from actors.parameter_client import ParameterClient
from messages.identifiers import keys_of
from messages.updates import (
    PullReply,
    PullRequest,
    RowGradients,
    Span,
    Update,
    UpdateOutcome,
    UpdateReply,
)
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import BucketPositions, ParameterShard

IDS = np.sort(keys_of(f"user-{number}" for number in range(50)))
REQUEST = PullRequest("model", {"user": IDS}, dense_newer_than=-1)


class LocalShard:
    """calls: what was called, in order. moves: so many updates are answered as while buckets move."""

    def __init__(self, shard: ParameterShard) -> None:
        self.shard = shard
        self.calls: list[str] = []
        self.moves = 0

    async def pull(self, request: PullRequest) -> PullReply:
        self.calls.append("pull")
        return self.shard.pull(request)

    async def apply_update(self, update: Update) -> UpdateReply:
        self.calls.append("apply_update")
        if self.moves:
            self.moves -= 1
            return UpdateReply(UpdateOutcome.MOVING, 0)
        return self.shard.apply_update(update)

    async def apply_and_pull(
        self, update: Update, request: PullRequest
    ) -> tuple[UpdateReply, PullReply | None]:
        reply = await self.apply_update(update)
        return reply, self.shard.pull(request) if reply.outcome.is_held else None

    async def positions(self, group: str) -> BucketPositions:
        return self.shard.positions(group)


class Map:
    """Two shards that stay."""

    def __init__(self, shards: dict[int, LocalShard]) -> None:
        self._shards = shards

    async def read(self) -> Map:
        return self

    @property
    def shards(self) -> list[int]:
        return sorted(self._shards)

    def router(self) -> ShardRouter:
        return ShardRouter(assign_buckets(2))

    def shard(self, shard: int) -> LocalShard:
        return self._shards[shard]


@pytest.fixture
def shards() -> dict[int, LocalShard]:
    router = ShardRouter(assign_buckets(2))
    made = {}
    for number in router.shards:
        shard = ParameterShard(number, router.buckets_of_shard(number), "incarnation")
        shard.create_group(
            "model", GroupSettings(num_partitions=1, slots={"user": SlotSettings(dimension=3)}), {}
        )
        made[number] = LocalShard(shard)
    return made


@pytest.fixture
def client(shards: dict[int, LocalShard]) -> ParameterClient:
    return ParameterClient(shard_map=Map(shards))  # type: ignore[arg-type]


def update(start: int) -> Update:
    slopes = np.full((len(IDS), 3), 1.0 + start, dtype=np.float32)
    rows = {"user": RowGradients(IDS, slopes, np.ones(len(IDS), dtype=np.uint32))}
    return Update("model", 1, {0: Span(start, start + 1, 0, 0.0, 1)}, rows=rows)


def test_what_comes_with_a_push_is_what_a_pull_reads_after_it(
    client: ParameterClient, shards: dict[int, LocalShard]
) -> None:
    async def learn() -> None:
        before = await client.pull(REQUEST)
        replies, pulled = await client.push_and_pull(update(0), REQUEST)
        assert {reply.outcome for reply in replies.values()} == {UpdateOutcome.APPLIED}
        assert pulled is not None
        after = await client.pull(REQUEST)
        assert (pulled.values["user"] != before.values["user"]).all()
        assert (pulled.values["user"] == after.values["user"]).all()
        assert pulled.versions == after.versions

    asyncio.run(learn())
    assert [shard.calls for shard in shards.values()] == [["pull", "apply_update", "pull"]] * 2


def test_an_update_that_is_not_taken_brings_nothing_to_read(client: ParameterClient) -> None:
    replies, pulled = asyncio.run(client.push_and_pull(update(1), REQUEST))
    assert {reply.outcome for reply in replies.values()} == {UpdateOutcome.BEHIND}
    assert pulled is None


def test_while_buckets_move_the_push_is_made_again_and_what_was_read_is_left(
    client: ParameterClient, shards: dict[int, LocalShard]
) -> None:
    shards[1].moves = 1
    replies, pulled = asyncio.run(client.push_and_pull(update(0), REQUEST))
    assert [replies[shard].outcome for shard in sorted(replies)] == [
        UpdateOutcome.DUPLICATE,
        UpdateOutcome.APPLIED,
    ]
    assert pulled is None


def test_a_push_alone_reads_nothing(client: ParameterClient, shards: dict[int, LocalShard]) -> None:
    asyncio.run(client.push(update(0)))
    assert [shard.calls for shard in shards.values()] == [["apply_update"]] * 2
