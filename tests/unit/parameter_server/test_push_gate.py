"""While buckets move, pushes stop at one place; what was cut for other buckets is refused."""

from __future__ import annotations

import numpy as np
import pytest

from messages.updates import PullRequest, Span, Update, UpdateOutcome
from parameter_server.hosted_buckets import MovingBucketsError
from parameter_server.push_gate import PushGate
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard


def update_from(starts: dict[int, int], group: str = "model") -> Update:
    return Update(group, 1, {part: Span(start, start + 2, 0, 0.0, 1) for part, start in starts.items()})


@pytest.mark.parametrize(
    ("starts", "passes"), [({0: 3}, True), ({0: 5}, False), ({0: 3, 1: 8}, False), ({1: 7}, True)]
)
def test_only_what_leads_up_to_the_gate_passes(starts: dict[int, int], passes: bool) -> None:
    gate = PushGate()
    gate.close({"model": np.array([5, 8])}, until=10.0)
    assert gate.lets_through(update_from(starts), now=9.0) is passes


def test_the_gate_opens_when_told_and_when_its_lease_is_over() -> None:
    gate = PushGate()
    assert gate.lets_through(update_from({0: 5}), now=0.0)
    gate.close({"model": np.array([5])}, until=10.0)
    assert not gate.lets_through(update_from({0: 0}, "another group"), now=1.0)
    assert gate.lets_through(update_from({0: 5}), now=10.0)
    gate.close({"model": np.array([5])}, until=20.0)
    gate.open()
    assert gate.lets_through(update_from({0: 5}), now=1.0)


def test_a_request_that_was_cut_for_other_buckets_changes_nothing() -> None:
    old, new = ShardRouter(assign_buckets(2)), ShardRouter(assign_buckets(3))
    shard = ParameterShard(0, new.buckets_of_shard(0), "life")
    shard.create_group(
        "model", GroupSettings(slots={"user": SlotSettings(dimension=1)}, num_partitions=1), {}
    )
    update = update_from({0: 0})  # it has no rows: only its span could be applied, and must not
    assert shard.apply_update(old.split_update(update)[0]).outcome is UpdateOutcome.MOVING
    assert shard.positions("model").lowest()[0].examples == 0
    request = PullRequest("model", {"user": np.empty(0, dtype=np.uint64)}, dense_newer_than=-1)
    with pytest.raises(MovingBucketsError):
        shard.pull(old.split_pull(request)[0])
    shard.pull(new.split_pull(request)[0])
    assert shard.apply_update(new.split_update(update)[0]).outcome is UpdateOutcome.APPLIED
