"""The head of the expected watch time: odds that are seconds.

Weighted logistic regression (Covington et al., RecSys 2016, section 4.2) weighs a watched impression by its
time and an unwatched one by 1; the odds then are about the expected time where little is watched. Here every
watching counts once as a negative of weight 1 and once as a positive of weight t, its time in units of
UNIT_SECONDS, so that the odds are the expected time whatever is watched: t log(1 + e^-z) + log(1 + e^z) is
least at e^z = E[t]. As one cross-entropy that is the target t / (1 + t) with the weight 1 + t.

So the head is a column like the others: its sigmoid, E / (E + 1), is what a score weighs, half for a long
view and never more than 1 for any length; `expected_seconds` reads the time off it.
"""

from __future__ import annotations

import numpy as np

from learners.label_weights import is_trained
from learners.watch_outcome import LONG_VIEW_SECONDS
from messages.arrays import FloatArray
from messages.examples import HEAD_INDEX, JoinedExamples

UNIT_SECONDS = np.float32(LONG_VIEW_SECONDS)

MAX_WATCH_SECONDS = np.float32(600)
"""Longer watchings teach as much as this: a player left running must not outweigh a hundred people."""


def watched_seconds(joined: JoinedExamples) -> FloatArray:
    """Return what each row says of the watch time, float32 [k]: the seconds where it ends the watching of its
    impression and tells them, else NaN."""
    closes = is_trained(joined.labels[:, HEAD_INDEX["engage"]])
    return np.where(closes, joined.watch_seconds, np.float32(np.nan))


def watch_targets(seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return target and weight of each row's cross-entropy, float32 [k]; weight 0 where seconds are NaN."""
    known = np.isfinite(seconds)
    bounded = np.clip(np.where(known, seconds, 0), 0, MAX_WATCH_SECONDS)
    times: FloatArray = (bounded / UNIT_SECONDS).astype(np.float32)
    return times / (1 + times), (1 + times) * known


def expected_seconds(probabilities: FloatArray) -> FloatArray:
    """Return the seconds that the head's sigmoid stands for, at most MAX_WATCH_SECONDS; same shape."""
    most = MAX_WATCH_SECONDS / (MAX_WATCH_SECONDS + UNIT_SECONDS)
    bounded = np.minimum(probabilities, most)
    seconds: FloatArray = UNIT_SECONDS * bounded / (1 - bounded)
    return seconds
