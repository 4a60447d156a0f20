"""The joiner's memory of one person, stored and loaded."""

from __future__ import annotations

import numpy as np
import pytest

from learners.compact_features import pack_features, unpack_features
from learners.join_state import JoinState
from messages.codec import MalformedMessageError, pack, unpack
from messages.features import FeatureBatch, IdBags

HORIZON, MANY = 600.0, 100


def features_of(num_rows: int, *, counters: bool) -> FeatureBatch:
    keys = np.arange(num_rows, dtype=np.uint64)
    return FeatureBatch(
        ids={"user": keys, "content": keys + np.uint64(2**63)},
        bags={"history": IdBags.of([keys[:row] for row in range(num_rows)])},
        dense=np.arange(num_rows * 3, dtype=np.float32).reshape(num_rows, 3),
        counters=np.ones((num_rows, 2), dtype=np.float32) if counters else None,
    )


@pytest.mark.parametrize("num_rows", [1, 4])
@pytest.mark.parametrize("counters", [False, True])
def test_packed_features_come_back_as_they_were(num_rows: int, counters: bool) -> None:
    features = features_of(num_rows, counters=counters)
    assert pack(unpack_features(pack_features(features)).to_wire()) == pack(features.to_wire())


@pytest.mark.parametrize("data", [b"", pack(3), pack([1, ["a"], b"123", [], b"", None])])
def test_bytes_that_are_no_features_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        unpack_features(data)


def test_a_stored_memory_goes_on_as_the_kept_one_does() -> None:
    kept = JoinState()
    kept.see(1, 100.0, HORIZON, MANY)
    kept.see(2, 200.0, HORIZON, MANY)
    kept.set_marks(7, 1, 0b11, {7})
    kept.set_marks(7, 0, 0b1, {7})
    kept.keep_features(7, features_of(2, counters=False), {7})
    loaded = JoinState.from_bytes(kept.to_bytes())
    assert loaded.to_bytes() == kept.to_bytes()
    assert loaded.places_marked(7) == [1, 0]
    assert loaded.marks_of(7, 1) == 0b11
    assert loaded.marks_of(7, 2) == loaded.marks_of(8, 0) == 0
    restored = loaded.features_of(7)
    assert restored is not None
    assert len(restored) == 2
    assert loaded.see(1, 700.0, HORIZON, MANY)
    assert not loaded.see(2, 801.0, HORIZON, MANY)


def test_what_is_closed_is_forgotten_when_something_new_is_remembered() -> None:
    join = JoinState()
    join.set_marks(7, 0, 1, {7})
    join.keep_features(7, features_of(1, counters=False), {7})
    join.set_marks(8, 0, 1, {8})
    join.keep_features(8, features_of(1, counters=False), {8})
    assert join.marks_of(7, 0) == 0
    assert join.features_of(7) is None
    assert join.features_of(8) is not None


def test_over_the_limit_the_oldest_sighting_is_forgotten() -> None:
    join = JoinState()
    for key in (1, 2, 3):
        join.see(key, 0.0, HORIZON, 2)
    assert join.see(3, 0.0, HORIZON, 2)
    assert not join.see(1, 0.0, HORIZON, 2)


@pytest.mark.parametrize(
    "data", [b"", pack([]), pack([9, b"", b"", [], []]), pack([1, b"12345678", b"", [], []])]
)
def test_bytes_that_are_no_join_state_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        JoinState.from_bytes(data)


def test_states_from_before_the_influence_cap_are_still_read() -> None:
    join = JoinState()
    join.see(1, 10.0, 600.0, 100)
    assert not join.has_influence_left(1_200.0, 600.0, 0)
    now = unpack(join.to_bytes())
    old = JoinState.from_bytes(pack([1, *now[1:-1]]))
    assert old.see(1, 11.0, 600.0, 100)
    assert old.has_influence_left(1_200.0, 600.0, 1)
    assert not JoinState.from_bytes(join.to_bytes()).has_influence_left(1_300.0, 600.0, 1)
