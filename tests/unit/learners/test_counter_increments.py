"""Counters of a batch, against a slow count event by event."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.counter_increments import counter_increments
from learners.labels import NO_MARKS, labels_of
from learners.watch_outcome import WatchOutcome
from messages.events import EVENT_TYPE_CODES, EVENT_TYPES, TERMINAL_EVENT_TYPES
from messages.examples import HEADS, ExampleBatch, JoinedExamples
from messages.features import FeatureBatch
from messages.updates import COUNTER_TOTAL_INDEX, DECAYED_COUNTERS, HALF_LIVES

START = 1_700_000_000.0
TOTAL_OF = {
    "replay": "replays", "like": "likes", "comment": "comments", "share": "shares", "save": "saves",
    "follow": "follows", "hide": "hides", "report": "reports",
}  # fmt: skip

Event = tuple[str, int, float, bool, bool, float, bool]
"""Type, content, seconds since START, long, complete, watched seconds, joined."""

events = st.lists(
    st.tuples(
        st.sampled_from(EVENT_TYPES),
        st.integers(0, 3),
        st.floats(0, 200_000),
        st.booleans(),
        st.booleans(),
        st.floats(0, 100, width=32),
        st.booleans(),
    ),
    max_size=30,
)


def batch_of(course: list[Event]) -> tuple[ExampleBatch, list[bool], list[bool]]:
    """Build the batch; say of each event whether a joined one ended its watching before, and completes it."""
    marks: dict[int, int] = defaultdict(lambda: NO_MARKS)
    joined_rows, labels, repeated, completing = [], [], [], []
    for row, (event_type, content, _, long_view, complete, _, joined) in enumerate(course):
        repeated.append(False)
        completing.append(event_type == "complete_view")
        if not joined or event_type == "content_upload":
            continue
        outcome = None
        if event_type in TERMINAL_EVENT_TYPES:
            is_complete = event_type == "complete_view" or (complete and event_type == "view")
            outcome = WatchOutcome(event_type != "skip", long_view, is_complete)
            was_complete = marks[content] & (2 << HEADS.index("complete"))
            repeated[row] = bool(marks[content] & 1)
            completing[row] = (
                is_complete and not was_complete and (not repeated[row] or event_type == "complete_view")
            )
        one, marks[content] = labels_of(event_type, outcome, marks[content])
        joined_rows.append(row)
        labels.append(list(one))
    k = len(joined_rows)
    joined_examples = JoinedExamples(
        rows=np.array(joined_rows, dtype=np.int64),
        features=FeatureBatch({}, {}, np.zeros((k, 1), dtype=np.float32), None),
        labels=np.array(labels, dtype=np.uint8).reshape(k, len(HEADS)),
        watch_seconds=np.zeros(k, dtype=np.float32),
        slate_positions=np.zeros(k, dtype=np.int64),
        propensities=np.zeros(k, dtype=np.float32),
        served_scores=np.zeros(k, dtype=np.float32),
        request_keys=np.zeros(k, dtype=np.uint64),
        arms=[""] * k,
        model_ids=[""] * k,
        model_versions=[""] * k,
    )
    batch = ExampleBatch(
        event_types=np.array([EVENT_TYPE_CODES[event[0]] for event in course], dtype=np.uint8),
        times=np.array([START + event[2] for event in course], dtype=np.float64),
        user_keys=np.ones(len(course), dtype=np.uint64),
        content_keys=np.array([event[1] for event in course], dtype=np.uint64),
        creator_keys=np.zeros(len(course), dtype=np.uint64),
        long_views=np.array([event[3] for event in course], dtype=np.bool_),
        watch_seconds=np.array([event[5] for event in course], dtype=np.float32),
        joined=joined_examples if k else None,
        uploads=None,
    )
    return batch, repeated, completing


@given(events)
def test_increments_are_what_a_slow_count_gives(course: list[Event]) -> None:
    batch, repeated, completing = batch_of(course)
    totals: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    hits: dict[int, list[tuple[str, float]]] = defaultdict(list)
    newest: dict[int, float] = {}
    for row, (event_type, content, time, long_view, _, watched, _) in enumerate(course):
        if content == 0 or event_type in ("content_upload", "unfollow"):
            continue
        newest[content] = max(newest.get(content, 0.0), START + time)
        total = totals[content]
        if event_type in TERMINAL_EVENT_TYPES:
            total["completes"] += completing[row]
            if repeated[row]:
                continue
            total["skips" if event_type == "skip" else "views"] += 1
            total["long_views"] += long_view
            total["watch_milliseconds"] += round(watched * 1_000)
            hits[content].append(("terminals", START + time))
            if event_type != "skip":
                hits[content].append(("engaged", START + time))
            if long_view:
                hits[content].append(("long_views", START + time))
        else:
            total[TOTAL_OF[event_type]] += 1
            if event_type in ("hide", "report"):
                hits[content].append(("negatives", START + time))
            elif event_type != "replay":
                hits[content].append(("positives", START + time))
    rows = counter_increments(batch)
    assert rows.ids.tolist() == sorted(newest)
    for index, content in enumerate(rows.ids.tolist()):
        for name, column in COUNTER_TOTAL_INDEX.items():
            assert rows.totals[index, column] == totals[content][name], name
        assert rows.times[index] == newest[content]
        for at, half_life in enumerate(HALF_LIVES):
            for column, name in enumerate(DECAYED_COUNTERS):
                expected = sum(
                    0.5 ** ((newest[content] - time) / half_life)
                    for hit, time in hits[content]
                    if hit == name
                )
                assert rows.decayed[index, at, column] == pytest.approx(expected)


def test_no_rows_no_counters() -> None:
    rows = counter_increments(ExampleBatch.empty())
    assert len(rows) == 0
    assert rows.decayed.shape == (0, len(HALF_LIVES), len(DECAYED_COUNTERS))


def test_a_watching_told_twice_counts_once() -> None:
    course: list[Any] = [
        ("view", 1, 0.0, True, False, 20.0, True),
        ("complete_view", 1, 5.0, True, False, 0.0, True),
    ]
    rows = counter_increments(batch_of(course)[0])
    counted = {name: int(rows.totals[0, column]) for name, column in COUNTER_TOTAL_INDEX.items()}
    assert {name: count for name, count in counted.items() if count} == {
        "views": 1,
        "completes": 1,
        "long_views": 1,
        "watch_milliseconds": 20_000,
    }
