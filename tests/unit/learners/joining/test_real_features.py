"""The joiner with the features that serving computes."""

from __future__ import annotations

from typing import Any

import numpy as np

from learners.features.assembly import assemble
from learners.features.schema import COUNTER_FEATURES, DENSE_FEATURES
from learners.joiner import JoinerSettings, PartitionJoiner
from learners.user_state import UserState
from messages.feed import FeedMessage
from messages.impressions import Impression

TIME = 1_700_000_000.0
SKIP = {"event_type": "skip", "event_id": "e1", "timestamp": TIME, "user_id": "eve", "content_id": "dog"}


def join(impression: dict[str, Any]) -> Any:
    joiner = PartitionJoiner(0, JoinerSettings(num_partitions=1), "writer")
    message = FeedMessage.decode(FeedMessage([("impression", impression), ("event", SKIP)]).encode())
    joiner.load_users({"eve": (None, None)})
    assert joiner.accept(message, position=1, append_time=TIME) == []
    release = joiner.release()
    assert release is not None
    assert release.batch.joined is not None
    return release.batch.joined.features


def test_served_features_pass_as_they_are(make_impression: Any) -> None:
    wire = make_impression("r1", "eve", ["cat", "dog"], TIME, served=False)
    shown = Impression.from_wire(wire)
    features = assemble(UserState.empty("eve"), None, shown.context, shown.contents, TIME, None)
    counters = np.full((2, len(COUNTER_FEATURES)), 0.5, dtype=np.float32)
    joined = join(wire | {"features": features.with_counters(counters).to_wire()})
    np.testing.assert_array_equal(joined.dense, features.dense[1:])
    np.testing.assert_array_equal(joined.counters, counters[1:])


def test_replayed_impressions_get_the_same_features_without_counters(make_impression: Any) -> None:
    joined = join(make_impression("r1", "eve", ["cat", "dog"], TIME, served=False))
    assert joined.dense.shape == (1, len(DENSE_FEATURES))
    assert joined.counters is None


def test_the_profile_of_a_replayed_impression_becomes_traits(make_impression: Any) -> None:
    wire = make_impression("r1", "eve", ["cat", "dog"], TIME, served=False)
    assert len(join(wire).bags["traits"].values) == 0
    assert join(wire | {"profile": {"age": "18", "city": "Oslo"}}).bags["traits"].lengths().tolist() == [2]
