"""What a batch of examples adds to the content counters: totals, and sums that fade at two half-lives.

Forward decay (Cormode et al., ICDE 2009): each sum is as of the time of the row's newest event, so increments
may be merged in any order and still agree.
"""

from __future__ import annotations

import numpy as np

from messages.arrays import AnyArray, BoolArray
from messages.events import EVENT_TYPE_CODES
from messages.examples import HEAD_INDEX, ExampleBatch, LabelKind
from messages.identifiers import MISSING_KEY
from messages.updates import (
    COUNTER_TOTAL_INDEX,
    COUNTER_TOTALS,
    DECAYED_COUNTERS,
    HALF_LIVES,
    CounterRows,
)

_CODE = EVENT_TYPE_CODES
_UNCOUNTED_TYPES = [_CODE["content_upload"], _CODE["unfollow"]]
_POSITIVE_TYPES = [_CODE[name] for name in ("like", "comment", "share", "save", "follow")]
_NEGATIVE_TYPES = [_CODE[name] for name in ("hide", "report")]

_TOTAL_OF_EVENT = {
    "replay": "replays",
    "like": "likes",
    "comment": "comments",
    "share": "shares",
    "save": "saves",
    "follow": "follows",
    "hide": "hides",
    "report": "reports",
}
"""Counted once per accepted event; watching is counted once per impression instead."""


def counter_increments(batch: ExampleBatch) -> CounterRows:
    """Sum the events of a batch by content; ids are in rising order.

    Orphans count as joined rows do. Players may tell of one watching twice (a view and a complete view):
    then the first is the view with its watch time, and the second adds no more than the completion. Events
    without a content (a follow that found no impression), uploads and unfollows count nowhere.
    """
    counted = (batch.content_keys != MISSING_KEY) & ~np.isin(batch.event_types, _UNCOUNTED_TYPES)
    rows = np.flatnonzero(counted)
    ids, contents = np.unique(batch.content_keys[rows], return_inverse=True)
    increments = CounterRows.zeros(ids)
    if len(rows) == 0:
        return increments
    repeated, completed = _from_labels(batch)
    repeated, completed = repeated[rows], completed[rows]
    types = batch.event_types[rows]
    is_complete_view = types == _CODE["complete_view"]
    viewed = (types == _CODE["view"]) | is_complete_view
    skipped = types == _CODE["skip"]
    ended = (viewed | skipped) & ~repeated

    totals: dict[str, AnyArray] = {
        "views": viewed & ended,
        "completes": completed | (is_complete_view & ended),
        "skips": skipped & ended,
        "long_views": batch.long_views[rows] & ended,
        "watch_milliseconds": np.rint(batch.watch_seconds[rows].astype(np.float64) * 1000) * ended,
    }
    for event_type, name in _TOTAL_OF_EVENT.items():
        totals[name] = types == _CODE[event_type]
    for name in COUNTER_TOTALS:
        column = increments.totals[:, COUNTER_TOTAL_INDEX[name]]
        np.add.at(column, contents, totals[name].astype(np.int64))

    times = batch.times[rows]
    increments.times[:] = -np.inf
    np.maximum.at(increments.times, contents, times)
    ages = increments.times[contents] - times
    decayed: dict[str, BoolArray] = {
        "terminals": ended,
        "engaged": viewed & ended,
        "long_views": batch.long_views[rows] & ended,
        "positives": np.isin(types, _POSITIVE_TYPES),
        "negatives": np.isin(types, _NEGATIVE_TYPES),
    }
    for at, half_life in enumerate(HALF_LIVES):
        weights = np.exp2(-ages / half_life)
        for column_index, name in enumerate(DECAYED_COUNTERS):
            sums = np.bincount(contents, weights=weights * decayed[name], minlength=len(ids))
            increments.decayed[:, at, column_index] = sums
    return increments


def _from_labels(batch: ExampleBatch) -> tuple[BoolArray, BoolArray]:
    """Return, per row of the batch, whether its impression was closed before, and whether it completes it.

    A joined terminal event says nothing about `engage` only where an earlier one has said it.
    """
    repeated = np.zeros(len(batch), dtype=np.bool_)
    completed = np.zeros(len(batch), dtype=np.bool_)
    joined = batch.joined
    if joined is not None:
        repeated[joined.rows] = joined.labels[:, HEAD_INDEX["engage"]] == LabelKind.UNTRAINED
        complete = joined.labels[:, HEAD_INDEX["complete"]]
        completed[joined.rows] = (complete == LabelKind.OBSERVED_POSITIVE) | (
            complete == LabelKind.LATE_POSITIVE
        )
    return repeated, completed
