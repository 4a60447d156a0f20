"""Calls fail, answers get lost and shards die while buckets move: every event counts once all the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.resharding_cluster import Mishap, calm, scaled


@given(
    mishap=st.sampled_from(["call fails", "answer is lost", "shard dies"]),
    at_call=st.integers(1, 45),
)
def test_whatever_fails_on_the_way_every_event_counts_once(mishap: Mishap, at_call: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        told, _ = asyncio.run(scaled(Path(root), mishap, at_call))
    for name in told.keys() - {"values", "biases"}:
        assert told[name] == calm()[name], name
    if mishap != "shard dies":  # then partitions are learned again in another order, which Adagrad sees
        assert told["values"] == calm()["values"]
        assert told["biases"] == calm()["biases"]
