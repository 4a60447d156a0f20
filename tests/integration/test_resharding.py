"""Shards come and go while learning goes on: the accounts are those of shards that never moved a bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path

from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTERS_GROUP
from tests.resharding_cluster import GROUP, NUM_MESSAGES, Cluster, accounts, calm, learn, scaled


def test_two_shards_become_three_and_two_again_while_learning_goes_on(tmp_path: Path) -> None:
    told, cluster = asyncio.run(scaled(tmp_path, "none", -1))
    assert told == calm()
    assert cluster.maps.newest.generation == 5
    assert cluster.maps.problems == [None]
    assert len(told) == 4 + 2 * NUM_BUCKETS


def test_a_system_that_starts_with_another_number_of_shards_goes_on_where_the_snapshots_stand(
    tmp_path: Path,
) -> None:
    async def run() -> tuple[dict[str, object], int]:
        before = Cluster(tmp_path, 2)
        for group in (GROUP, COUNTERS_GROUP):
            await learn(before.client(), group, until=NUM_MESSAGES // 2)
        for host in before.hosts.values():
            host.write_snapshot()
        before.close()
        after = Cluster(tmp_path, 3)
        for group in (GROUP, COUNTERS_GROUP):
            await learn(after.client(), group)
        told = await accounts(after.client())
        applied = sum(
            host.statistics()["groups"][GROUP]["outcomes"].get("applied", 0) for host in after.hosts.values()
        )
        after.close()
        return told, applied

    told, applied = asyncio.run(run())
    assert told == calm()
    assert applied == 3 * 2 * (NUM_MESSAGES - NUM_MESSAGES // 2), (
        "what the snapshots held is not learned again"
    )
