"""One person beside n contents: what they did in this category and with this creator, and the fixed facts."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np

from learners.features.rates import smoothed_rate
from learners.features.schema import ENGAGE_PRIOR, LONG_VIEW_PRIOR, PAIR_DENSE_FEATURES
from learners.user_state import UserState
from learners.user_state_settings import DEFAULT_SETTINGS
from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.identifiers import MISSING_KEY

NUM_DURATION_BUCKETS = 16
_STRENGTH = 3.0
_LATEST_STRENGTH = 1.5
_PRIORS: DoubleArray = np.array([ENGAGE_PRIOR, LONG_VIEW_PRIOR])
_MINUTE = 60.0
_HOUR = 3_600.0


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
    table = _with_unknown(group_columns(np.concatenate([category_rows, creator_rows]), now))
    latest_keys, latest_rows = state.latest_categories.arrays()
    latest = _with_unknown(latest_columns(latest_rows, now))
    content_keys = contents.content_keys.tolist()
    return pair_columns(
        table[_row_of(category_keys, contents.category_keys)],
        table[_row_of(creator_keys, contents.creator_keys, first=len(category_keys))],
        latest[_row_of(latest_keys, contents.category_keys)],
        state.overall.terminals,
        (
            _is_in(contents.creator_keys.tolist(), state.followed_creators),
            _is_in(content_keys, set(state.history.tolist())),
            _is_in(content_keys, set(state.liked.tolist())),
        ),
        (user_dense[0], user_dense[1]),
        contents.durations,
        contents.upload_times,
        contents.tags.lengths(),
        0 if contents.audio_uses is None else contents.audio_uses,
        now,
        same_language(np.uint64(language_key), contents.language_keys),
    )


def pair_columns(
    category: DoubleArray,
    creator: DoubleArray,
    latest: DoubleArray,
    terminals: float | DoubleArray,
    memberships: tuple[Any, Any, Any],
    own_rates: tuple[Any, Any],
    durations: FloatArray,
    upload_times: DoubleArray,
    num_tags: IntArray,
    audio_uses: int | IntArray,
    now: float | DoubleArray,
    same_languages: FloatArray,
) -> FloatArray:
    """Put the columns of PAIR_DENSE_FEATURES together, float32 [n, P].

    category, creator: [n, 6] as from `group_columns`, latest: [n, 3] as from `latest_columns`, zeros for one
    never met. memberships: creator followed, content in history, content liked; own_rates: the person's
    engage and long-view rate. These, terminals and now: of one person, or [n] each.
    """
    known = np.isfinite(durations)
    log_durations = np.where(known, np.log1p(np.where(known, durations, 0)) / 3 - 1, 0)
    ages = np.maximum(now - upload_times, 0.0)
    columns = np.empty((len(durations), len(PAIR_DENSE_FEATURES)), dtype=np.float32)
    columns[:, 0] = category[:, _TERMINALS] / np.maximum(terminals, 1.0)
    columns[:, 1:6] = category[:, :_TERMINALS]
    columns[:, 6:11] = creator[:, :_TERMINALS]
    for column, members in enumerate(memberships, start=11):
        columns[:, column] = members
    columns[:, 14] = log_durations
    columns[:, 15] = known
    columns[:, 16] = log_durations * own_rates[0]
    columns[:, 17] = log_durations * own_rates[1]
    columns[:, 18] = np.log1p(ages / _HOUR) / 6
    columns[:, 19] = np.minimum(num_tags, 10) / 5
    columns[:, 20] = same_languages
    columns[:, 21:24] = latest
    columns[:, 24] = np.log1p(audio_uses) / 4
    return columns


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


_TERMINALS = 5
"""Column of `group_columns` that holds the plain count."""


def group_columns(rates: DoubleArray, now: float | DoubleArray) -> DoubleArray:
    """Turn a person's rates per category or creator, float64 [g, 5] as in DecayedRates, into columns.

    Engage rate, long-view rate, preference, log terminals, recency, terminals: float64 [g, 6]. now: one or g.
    """
    last_times, terminals, hits, preferences = rates[:, 0], rates[:, 1], rates[:, 2:4], rates[:, 4]
    table = np.empty((len(rates), 6))
    table[:, :2] = smoothed_rate(hits, terminals[:, None], _PRIORS, _STRENGTH)
    table[:, 2] = np.tanh(preferences / 4)
    table[:, 3] = np.log1p(terminals) / 3
    table[:, 4] = 1 / (1 + np.log1p(np.maximum(now - last_times, 0.0) / _MINUTE))
    table[:, 5] = terminals
    return table


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


def _row_of(known: IdArray, keys: IdArray, first: int = 0) -> IntArray:
    """Return 1 + `first` + the place of each key in `known`, 0 where it is not there, int64 [n]."""
    if len(known) == 0:
        return np.zeros(len(keys), dtype=np.int64)
    order = np.argsort(known)
    places = np.minimum(np.searchsorted(known, keys, sorter=order), len(known) - 1)
    found = order[places]
    return np.where(known[found] == keys, found + (1 + first), 0)


def _is_in(keys: list[int], members: Set[int]) -> list[bool] | bool:
    """Say which keys are members; plain sets, since numpy's isin costs more than 500 look-ups."""
    return [key in members for key in keys] if members else False
