"""Shards come and go while learning goes on: the accounts are those of shards that never moved a bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path

from messages.identifiers import NUM_BUCKETS
from tests.resharding_cluster import calm, scaled


def test_two_shards_become_three_and_two_again_while_learning_goes_on(tmp_path: Path) -> None:
    told, cluster = asyncio.run(scaled(tmp_path, "none", -1))
    assert told == calm()
    assert cluster.maps.newest.generation == 5
    assert cluster.maps.problems == []
    assert len(told) == 4 + 2 * NUM_BUCKETS
