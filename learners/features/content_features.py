"""One person beside n contents: what they did in this category and with this creator, and the fixed facts."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from learners.decayed_rates import RatesByKey
from learners.features.rates import smoothed_rate
from learners.features.schema import ENGAGE_PRIOR, LONG_VIEW_PRIOR, PAIR_DENSE_FEATURES
from learners.user_state import UserState
from messages.arrays import AnyArray, BoolArray, DoubleArray, FloatArray, IdArray, IntArray
from messages.content import ContentColumns

NUM_DURATION_BUCKETS = 16
_STRENGTH = 3.0
_MINUTE = 60.0
_HOUR = 3_600.0


def pair_dense_features(
    state: UserState, user_dense: FloatArray, contents: ContentColumns, now: float
) -> FloatArray:
    """Compute the columns of PAIR_DENSE_FEATURES, float32 [n, P].

    user_dense: the person's own columns, whose rates are crossed with the duration. now: epoch seconds.
    """
    n = len(contents)
    category = _group_columns(state.categories, contents.category_keys, now)
    creator = _group_columns(state.creators, contents.creator_keys, now)
    known = np.isfinite(contents.durations)
    log_durations = np.where(known, np.log1p(np.where(known, contents.durations, 0)) / 3 - 1, 0)
    ages = np.maximum(now - contents.upload_times, 0.0)
    columns = np.empty((n, len(PAIR_DENSE_FEATURES)), dtype=np.float32)
    columns[:, 0] = category[:, _TERMINALS] / max(state.overall.terminals, 1.0)
    columns[:, 1:6] = category[:, :_TERMINALS]
    columns[:, 6:11] = creator[:, :_TERMINALS]
    columns[:, 11] = _is_in(contents.creator_keys, state.followed_creators)
    columns[:, 12] = _is_in(contents.content_keys, state.history)
    columns[:, 13] = _is_in(contents.content_keys, state.liked)
    columns[:, 14] = log_durations
    columns[:, 15] = known
    columns[:, 16] = log_durations * user_dense[0]
    columns[:, 17] = log_durations * user_dense[1]
    columns[:, 18] = np.log1p(ages / _HOUR) / 6
    columns[:, 19] = np.minimum(contents.tags.lengths(), 10) / 5
    return columns


def duration_buckets(durations: FloatArray) -> IntArray:
    """Return 1 .. NUM_DURATION_BUCKETS by the logarithm of the seconds, 0 where unknown, int64 [n]."""
    known = np.isfinite(durations)
    logs = np.log2(np.where(known, np.maximum(durations, 1.0), 1.0)) * 1.6
    return np.where(known, np.minimum(logs.astype(np.int64), NUM_DURATION_BUCKETS - 1) + 1, 0)


_TERMINALS = 5
"""Column of `_group_columns` that holds the plain count."""


def _group_columns(groups: RatesByKey, keys: IdArray, now: float) -> DoubleArray:
    """Look up what the person did in each content's category (or with its creator), float64 [n, 6].

    Columns: engage rate, long-view rate, preference, log terminals, recency, terminals; zeros where nothing.
    """
    known, rows = groups.arrays()
    last_times, terminals, engaged, long_views, preferences = rows.T
    table = np.zeros((len(known) + 1, 6))
    table[1:, 0] = smoothed_rate(engaged, terminals, ENGAGE_PRIOR, _STRENGTH)
    table[1:, 1] = smoothed_rate(long_views, terminals, LONG_VIEW_PRIOR, _STRENGTH)
    table[1:, 2] = np.tanh(preferences / 4)
    table[1:, 3] = np.log1p(terminals) / 3
    table[1:, 4] = 1 / (1 + np.log1p(np.maximum(now - last_times, 0.0) / _MINUTE))
    table[1:, 5] = terminals
    return table[_row_of(known, keys)]


def _row_of(known: IdArray, keys: IdArray) -> IntArray:
    """Return 1 + the place of each key in `known`, 0 where it is not there, int64 [n]."""
    if len(known) == 0:
        return np.zeros(len(keys), dtype=np.int64)
    order = np.argsort(known)
    places = np.minimum(np.searchsorted(known, keys, sorter=order), len(known) - 1)
    found = order[places]
    return np.where(known[found] == keys, found + 1, 0)


def _is_in(keys: IdArray, members: Collection[int] | AnyArray) -> BoolArray:
    if len(members) == 0:
        return np.zeros(len(keys), dtype=np.bool_)
    return np.isin(keys, np.fromiter(members, dtype=np.uint64, count=len(members)))
