"""One person beside n contents: what they did in this category and with this creator, and the fixed facts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.features.rates import odds_ratio, smoothed_rate
from learners.features.schema import ENGAGE_PRIOR, LONG_VIEW_PRIOR, PAIR_DENSE_FEATURES
from learners.key_sets import KeySet
from learners.user_state import UserState
from learners.user_state_settings import DEFAULT_SETTINGS
from messages.arrays import AnyArray, BoolArray, DoubleArray, FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.identifiers import MISSING_KEY

NUM_DURATION_BUCKETS = 16
_STRENGTH = 3.0
_LATEST_STRENGTH = 1.5
_PRIORS: DoubleArray = np.array([ENGAGE_PRIOR, LONG_VIEW_PRIOR])
_MINUTE = 60.0
_HOUR = 3_600.0
_TERMINALS = 5
"""Column of `group_columns` that holds the plain count."""


def pair_dense_features(
    state: UserState,
    user_dense: FloatArray,
    contents: ContentColumns,
    now: float,
    language_key: int = MISSING_KEY,
) -> FloatArray:
    """Compute the columns of PAIR_DENSE_FEATURES, float32 [n, P].

    user_dense: the person's own columns, whose rates are crossed with the duration. now: epoch seconds.
    language_key: of the language they asked in.
    """
    category_keys, category_rows = state.categories.arrays()
    creator_keys, creator_rows = state.creators.arrays()
    latest_keys, latest_rows = state.latest_categories.arrays()
    groups = _with_unknown(group_columns(np.concatenate([category_rows, creator_rows]), now))
    return pair_columns(
        (groups, _rows_of(category_keys, contents.category_keys, 1)),
        (groups, _rows_of(creator_keys, contents.creator_keys, 1 + len(category_keys))),
        (
            _with_unknown(latest_columns(latest_rows, now)),
            _rows_of(latest_keys, contents.category_keys, 1),
        ),
        state.overall.terminals,
        (
            _are_in(contents.creator_keys, list(state.followed_creators)),
            _are_in(contents.content_keys, state.history),
            _are_in(contents.content_keys, state.liked),
        ),
        (user_dense[:1], user_dense[1:2]),
        contents.durations,
        contents.upload_times,
        contents.tags.lengths(),
        contents.audio_uses,
        now,
        same_language(np.uint64(language_key), contents.language_keys),
    )


def pair_columns(
    category: tuple[DoubleArray, IntArray],
    creator: tuple[DoubleArray, IntArray],
    latest: tuple[DoubleArray, IntArray],
    terminals: float | DoubleArray,
    memberships: tuple[AnyArray | bool, AnyArray | bool, AnyArray | bool],
    own_rates: tuple[FloatArray, FloatArray],
    durations: FloatArray,
    upload_times: DoubleArray,
    num_tags: IntArray,
    audio_uses: IntArray | None,
    now: float | DoubleArray,
    same_languages: FloatArray,
) -> FloatArray:
    """Put the columns of PAIR_DENSE_FEATURES together, float32 [n, P].

    category, creator: a table as from `group_columns`, [g, 6], and its row for each content, int64 [n];
    latest: the same as from `latest_columns`, [g, 3]. memberships: creator followed, content in history,
    content liked; own_rates: the person's engage and long-view rate. These, terminals and now: of one
    person, or [n] each.
    """
    count = len(durations)
    uses = np.zeros(count) if audio_uses is None else np.log1p(audio_uses)
    columns = np.empty((count, len(PAIR_DENSE_FEATURES)), dtype=np.float32)
    _put_columns(
        *category,
        *creator,
        *latest,
        np.atleast_1d(np.asarray(terminals, dtype=np.float64)),
        *(np.ascontiguousarray(rates) for rates in own_rates),
        np.require(durations, dtype=np.float32, requirements=("C", "A", "W")),
        np.log1p(durations),
        np.log1p(np.maximum(now - upload_times, 0.0) / _HOUR),
        num_tags,
        uses,
        columns,
    )
    for column, members in enumerate(memberships, start=11):
        columns[:, column] = members
    columns[:, 20] = same_languages
    return columns


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _put_columns(
    category: Any,
    category_rows: Any,
    creator: Any,
    creator_rows: Any,
    latest: Any,
    latest_rows: Any,
    terminals: Any,
    engage_rates: Any,
    long_view_rates: Any,
    durations: Any,
    log_durations: Any,
    log_ages: Any,
    num_tags: Any,
    log_uses: Any,
    columns: Any,
) -> None:
    """Write the columns that are numbers of a group, of the duration and of the content, in one pass."""
    for row in range(len(columns)):
        person = row if len(terminals) > 1 else 0
        group, maker, lately = category_rows[row], creator_rows[row], latest_rows[row]
        columns[row, 0] = category[group, _TERMINALS] / max(terminals[person], 1.0)
        for column in range(_TERMINALS):
            columns[row, 1 + column] = category[group, column]
            columns[row, 6 + column] = creator[maker, column]
        known = np.isfinite(durations[row])
        length = log_durations[row] / np.float32(3) - np.float32(1) if known else np.float32(0)
        columns[row, 14] = length
        columns[row, 15] = known
        columns[row, 16] = length * engage_rates[person]
        columns[row, 17] = length * long_view_rates[person]
        columns[row, 18] = log_ages[row] / 6
        columns[row, 19] = min(num_tags[row], 10) / 5
        for column in range(3):
            columns[row, 21 + column] = latest[lately, column]
        columns[row, 24] = log_uses[row] / 4


def same_language(person: np.uint64 | IdArray, contents: IdArray) -> FloatArray:
    """Return 1 where a content is in the person's language, -1 where in another, 0 where one is not known,
    float32 [n]. Keys: of `language_name`; person: one, or n."""
    known = (contents != MISSING_KEY) & (person != MISSING_KEY)
    return np.where(known, np.where(contents == person, 1.0, -1.0), 0.0).astype(np.float32)


def duration_buckets(durations: FloatArray) -> IntArray:
    """Return 1 .. NUM_DURATION_BUCKETS by the logarithm of the seconds, 0 where unknown, int64 [n]."""
    known = np.isfinite(durations)
    logs = np.log2(np.where(known, np.maximum(durations, 1.0), 1.0)) * 1.6
    return np.where(known, np.minimum(logs.astype(np.int64), NUM_DURATION_BUCKETS - 1) + 1, 0)


def group_columns(rates: DoubleArray, now: float | DoubleArray) -> DoubleArray:
    """Turn a person's rates per category or creator, float64 [g, 5] as in DecayedRates, into columns.

    Engage rate, long-view rate, preference, log terminals, recency, terminals: float64 [g, 6]. now: one or g.
    """
    moments = np.atleast_1d(np.asarray(now, dtype=np.float64))
    odds, counts, table = np.empty((len(rates), 2)), np.empty((2, len(rates))), np.empty((len(rates), 6))
    _put_group_arguments(
        np.require(rates, dtype=np.float64, requirements=("C", "A", "W")), moments, odds, counts
    )
    np.log(odds, out=table[:, :2])
    np.tanh(rates[:, 4] / 4, out=table[:, 2])
    logs = np.log1p(counts, out=counts)
    table[:, 3] = logs[0] / 3
    table[:, 4] = 1 / (1 + logs[1])
    table[:, 5] = rates[:, 1]
    return table


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _put_group_arguments(rates: Any, moments: Any, odds: Any, counts: Any) -> None:
    """Write what the logarithms of `group_columns` are taken of. moments: [1] or [g]. odds: [g, 2]. counts:
    [2, g], terminals and minutes since the last."""
    for row in range(len(rates)):
        now = moments[row if len(moments) > 1 else 0]
        counts[0, row] = rates[row, 1]
        counts[1, row] = max(now - rates[row, 0], 0.0) / _MINUTE
        for rate in range(2):
            odds[row, rate] = odds_ratio(rates[row, 2 + rate], rates[row, 1], _PRIORS[rate], _STRENGTH)


def latest_columns(rates: DoubleArray, now: float | DoubleArray) -> DoubleArray:
    """Turn a person's latest rates per category, float64 [g, 5] as in DecayedRates, into columns.

    Engage rate, preference, log terminals: float64 [g, 3], faded up to `now` (one or g), so that a dislike
    that was not tried again for hours is forgotten like any other taste of then.
    """
    elapsed = np.maximum(now - rates[:, 0], 0.0)
    faded = rates * np.exp2(-elapsed / DEFAULT_SETTINGS.latest_half_life_seconds)[:, None]
    table = np.empty((len(rates), 3))
    table[:, 0] = smoothed_rate(faded[:, 2], faded[:, 1], ENGAGE_PRIOR, _LATEST_STRENGTH)
    table[:, 1] = np.tanh(faded[:, 4] / 4)
    table[:, 2] = np.log1p(faded[:, 1]) / 3
    return table


def _with_unknown(table: DoubleArray) -> DoubleArray:
    """Put a row of zeros before all others: a group that was never met."""
    return np.concatenate([np.zeros((1, table.shape[1])), table])


def _rows_of(known: IdArray, keys: IdArray, first: int) -> IntArray:
    """Return `first` + the place of each key in `known`, 0 where it is not there, int64 [n]."""
    if not len(known):
        return np.zeros(len(keys), dtype=np.int64)
    places = KeySet(known).places(keys)
    rows: IntArray = np.where(places < 0, 0, places + first)
    return rows


def _are_in(keys: IdArray, members: IdArray | list[int]) -> BoolArray | bool:
    """Say which keys are members, bool [n], or that none is."""
    return KeySet(np.array(members, dtype=np.uint64)).holds(keys) if len(members) else False
