"""A replica follows deltas: in slices, the version last, a full one whole or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from messages.identifiers import keys_of
from messages.impressions import ModelVersion
from messages.updates import Position, Rows
from serve_app.model_replica import SLICE_ROWS, DeltaGapError, DeltaMismatchError
from tests.fakes import RETRIEVAL, content, counted, delta, empty_replica, replica_of

EVERYWHERE = np.array([[1.0, 0.0, 1.0]], dtype=np.float32)
NONE = np.empty(0, dtype=np.int64)


def nearest(replica, count: int = 3) -> list[str]:
    rows = replica.state.index.search(EVERYWHERE, count, NONE)[0][0]
    return replica.contents(rows[rows >= 0]).content_ids


def test_before_the_first_delta_there_is_no_version_and_everything_is_asked_for() -> None:
    replica = empty_replica()

    assert replica.version is None
    assert replica.counter == -1


def test_a_full_delta_brings_contents_vectors_counters_positions_and_version() -> None:
    replica = replica_of(
        [content("a", "ann"), content("b", "bob")],
        vectors={"a": [1, 0, 0], "b": [2, 0, 0]},
        counters=counted({"a": 4.0}, {"a": 7}),
        dense={"w": np.ones(2, dtype=np.float32)},
        positions={3: Position(10, 20, 30.0)},
    )

    assert nearest(replica) == ["b", "a"]
    assert replica.counters_of(keys_of(["b", "a"])).totals[:, 0].tolist() == [0, 7]
    assert replica.positions[3].feed == 20
    assert str(replica.version) == "a.1"
    assert replica.dense["w"].tolist() == [1, 1]


def test_a_missing_row_reads_as_its_initial_value() -> None:
    replica = replica_of([content("a")], vectors={"a": [5, 6, 7]})

    assert replica.rows(RETRIEVAL, keys_of(["nobody", "a", "a"])).tolist() == [
        [0, 0, 0],
        [5, 6, 7],
        [5, 6, 7],
    ]


def test_a_changed_row_moves_its_content_in_the_index() -> None:
    replica = replica_of([content("a"), content("b")], vectors={"a": [1, 0, 0], "b": [2, 0, 0]})

    replica.apply_whole(delta(2, previous=1, vectors={"a": [3, 0, 0]}))

    assert nearest(replica) == ["a", "b"]
    assert replica.counter == 2


def test_a_content_may_come_before_its_row_and_after_it() -> None:
    replica = replica_of([content("early")], vectors={"late": [9, 0, 0]})
    assert nearest(replica) == ["early"]

    replica.apply_whole(delta(2, previous=1, contents=[content("late")], vectors={"early": [1, 0, 0]}))

    assert nearest(replica) == ["late", "early"]


def test_removals_reach_table_index_and_lists() -> None:
    replica = replica_of(
        [content("a"), content("b")], vectors={"a": [2, 0, 0], "b": [1, 0, 0]}, counters=counted({"a": 1.0})
    )

    replica.apply_whole(delta(2, previous=1, removed_contents=["a", "never there"]))

    assert nearest(replica) == ["b"]
    assert replica.state.trending.top(5).tolist() == []
    assert len(replica.state.fresh.top(5)) == 1


def test_a_removed_row_goes_back_to_its_initial_value_in_the_index_too() -> None:
    replica = replica_of([content("a"), content("b")], vectors={"a": [2, 0, 0], "b": [1, 0, 0]})

    replica.apply_whole(delta(2, previous=1, removed_rows=["a"]))

    assert nearest(replica) == ["b", "a"]


def test_counters_that_come_before_their_content_make_it_trend_once_it_is_there() -> None:
    replica = replica_of([content("a")], counters=counted({"late": 5.0}))
    assert replica.state.trending.top(5).tolist() == []

    replica.apply_whole(delta(2, previous=1, contents=[content("late")]))

    assert replica.contents(replica.state.trending.top(5)).content_ids == ["late"]


def test_a_delta_applies_in_bounded_slices_and_the_version_moves_after_the_last() -> None:
    replica = replica_of([content("a")])
    names = [f"c{index}" for index in range(600)]
    slices = replica.apply(
        delta(
            2,
            previous=1,
            contents=[content(name) for name in names],
            vectors={name: [1, 0, 0] for name in names},
        )
    )

    for num_rows in slices:
        assert num_rows <= SLICE_ROWS
        assert replica.counter == 1

    assert replica.counter == 2
    assert len(replica.state.index) == 601


def test_a_full_delta_serves_the_old_copy_until_its_last_slice() -> None:
    replica = replica_of([content("old")], vectors={"old": [1, 0, 0]})
    names = [f"new{index}" for index in range(300)]
    slices = replica.apply(
        delta(
            9,
            contents=[content(name) for name in names],
            vectors={name: [1, 0, 0] for name in names},
            lineage="b",
        )
    )

    for _ in slices:
        assert nearest(replica) == ["old"]

    assert "old" not in nearest(replica, 400)
    assert len(replica.state.contents) == 300
    assert str(replica.version) == "b.9"


def test_a_delta_left_halfway_can_be_applied_again() -> None:
    replica = replica_of([content("a"), content("b")], vectors={"a": [1, 0, 0]})
    change = delta(2, previous=1, vectors={"a": [3, 0, 0], "b": [2, 0, 0]}, removed_contents=["b"])
    next(replica.apply(change))
    assert replica.counter == 1

    replica.apply_whole(change)

    assert replica.counter == 2
    assert nearest(replica) == ["a"]


@pytest.mark.parametrize(
    "change",
    [
        delta(4, previous=3, vectors={"a": [9, 9, 9]}),
        delta(2, previous=1, vectors={"a": [9, 9, 9]}, lineage="another"),
    ],
)
def test_a_delta_that_builds_on_something_else_is_refused_untouched(change) -> None:
    replica = replica_of([content("a")], vectors={"a": [1, 0, 0]})

    with pytest.raises(DeltaGapError):
        replica.apply(change)

    assert replica.rows(RETRIEVAL, keys_of(["a"])).tolist() == [[1, 0, 0]]


def test_a_delta_of_another_model_or_shape_is_refused_untouched() -> None:
    replica = replica_of([content("a")], vectors={"a": [1, 0, 0]})
    change = delta(2, previous=1, vectors={"a": [9, 9, 9]})
    wide = {RETRIEVAL: Rows(keys_of(["a"]), np.zeros((1, 8), dtype=np.float32))}

    for wrong in (
        dataclasses.replace(change, version=ModelVersion("another", "a", 2)),
        dataclasses.replace(change, rows=wide),
        dataclasses.replace(change, rows={"no such slot": change.rows[RETRIEVAL]}),
        dataclasses.replace(change, removed={"no such slot": keys_of(["a"])}),
    ):
        with pytest.raises(DeltaMismatchError):
            replica.apply(wrong)

    assert replica.rows(RETRIEVAL, keys_of(["a"])).tolist() == [[1, 0, 0]]
