"""One person beside n contents: what they did in this category and with this creator, and the fixed facts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.features.rates import odds_ratio
from learners.features.schema import ENGAGE_PRIOR, LONG_VIEW_PRIOR, PAIR_DENSE_FEATURES
from learners.kernel_arrays import kernel_array
from learners.key_sets import places_in_each
from learners.user_state import UserState
from learners.user_state_settings import DEFAULT_SETTINGS
from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.identifiers import MISSING_KEY

_STRENGTH = 3.0
_LATEST_STRENGTH = 1.5
_PRIORS: DoubleArray = np.array([ENGAGE_PRIOR, LONG_VIEW_PRIOR])
_MINUTE = 60.0
_HOUR = 3_600.0
_LATEST_HALF_LIFE = DEFAULT_SETTINGS.latest_half_life_seconds
_ENGAGE_RATE, _LONG_VIEW_RATE, _PREFERENCE, _LOG_TERMINALS, _RECENCY, _TERMINALS = range(6)
"""The columns of `group_columns`, that with the plain count last."""


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
    category_keys, categories = state.categories.arrays()
    creator_keys, creators = state.creators.arrays()
    latest_keys, latest = state.latest_categories.arrays()
    followed = np.fromiter(state.followed_creators, dtype=np.uint64, count=len(state.followed_creators))
    first_latest = len(categories) + len(creators)
    groups = group_columns(np.concatenate([categories, creators, latest]), now, first_latest)
    places = places_in_each(
        (category_keys, creator_keys, latest_keys, followed, state.history, state.liked),
        (
            contents.category_keys, contents.creator_keys, contents.category_keys,
            contents.creator_keys, contents.content_keys, contents.content_keys,
        ),
        (1, 1 + len(categories), 1 + first_latest, 1, 1, 1),
    )  # fmt: skip
    return pair_columns(
        groups,
        places,
        state.overall.terminals,
        (user_dense[:1], user_dense[1:2]),
        contents.durations,
        contents.upload_times,
        contents.tags.lengths(),
        contents.audio_uses,
        now,
        (np.array([language_key], dtype=np.uint64), contents.language_keys),
    )


def pair_columns(
    groups: DoubleArray,
    places: IntArray,
    terminals: float | DoubleArray,
    own_rates: tuple[FloatArray, FloatArray],
    durations: FloatArray,
    upload_times: DoubleArray,
    num_tags: IntArray,
    audio_uses: IntArray | None,
    now: float | DoubleArray,
    languages: tuple[IdArray, IdArray],
) -> FloatArray:
    """Put the columns of PAIR_DENSE_FEATURES together, float32 [n, P].

    groups: a table as from `group_columns`. places: int64 [6, n], of each content the rows of `groups` that
    are its category, its creator and its category of late, then what is not 0 where the creator is followed,
    the content in the history and the content liked. own_rates: the person's engage and long-view rate.
    languages: their keys, the person's and of each content. What is the person's, terminals and now: of one,
    or [n] each.
    """
    count = len(durations)
    uses = np.zeros(count) if audio_uses is None else np.log1p(audio_uses)
    columns = np.empty((count, len(PAIR_DENSE_FEATURES)), dtype=np.float32)
    _put_columns(
        groups,
        places,
        np.atleast_1d(np.asarray(terminals, dtype=np.float64)),
        *(np.ascontiguousarray(rates) for rates in own_rates),
        kernel_array(durations, np.float32),
        np.log1p(durations),
        np.log1p(np.maximum(now - upload_times, 0.0) / _HOUR),
        num_tags,
        uses,
        *(kernel_array(keys, np.uint64) for keys in languages),
        columns,
    )
    return columns


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _put_columns(
    groups: Any,
    places: Any,
    terminals: Any,
    engage_rates: Any,
    long_view_rates: Any,
    durations: Any,
    log_durations: Any,
    log_ages: Any,
    num_tags: Any,
    log_uses: Any,
    own_languages: Any,
    languages: Any,
    columns: Any,
) -> None:
    """Write all columns in one pass; of the logarithms numpy takes many at once in a fraction of the time."""
    for row in range(len(columns)):
        person = row if len(terminals) > 1 else 0
        category, creator, latest = groups[places[0, row]], groups[places[1, row]], groups[places[2, row]]
        put = columns[row]
        put[0] = category[_TERMINALS] / max(terminals[person], 1.0)
        for column in range(_TERMINALS):
            put[1 + column] = category[column]
            put[6 + column] = creator[column]
        for column in range(3):
            put[11 + column] = places[3 + column, row] != 0
        known = np.isfinite(durations[row])
        length = log_durations[row] / np.float32(3) - np.float32(1) if known else np.float32(0)
        put[14] = length
        put[15] = known
        put[16] = length * engage_rates[person]
        put[17] = length * long_view_rates[person]
        put[18] = log_ages[row] / 6
        put[19] = min(num_tags[row], 10) / 5
        put[20] = same_language(own_languages[person], languages[row])
        put[21] = latest[_ENGAGE_RATE]
        put[22] = latest[_PREFERENCE]
        put[23] = latest[_LOG_TERMINALS]
        put[24] = log_uses[row] / 4


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def same_language(own: Any, other: Any) -> Any:
    """Return 1 where a content is in the person's language, -1 where in another, 0 where one is not known.
    Keys: of `language_name`."""
    missing = np.uint64(MISSING_KEY)
    if own == missing or other == missing:
        return np.float32(0)
    return np.float32(1) if own == other else np.float32(-1)


def group_columns(
    rates: DoubleArray, now: float | DoubleArray, first_latest: int | None = None
) -> DoubleArray:
    """Turn a person's rates per category or creator, float64 [g, 5] as in DecayedRates, into columns.

    Engage rate, long-view rate, preference, log terminals, recency, terminals: float64 [1 + g, 6], zeros
    before all others for a group that was never met. now: one or g. first_latest: the first of the rates that
    are the latest ones and fade up to `now`, so that a dislike that was not tried again for hours is
    forgotten like any other taste of then; None for none.
    """
    count = len(rates)
    numbers, table = np.empty((6, count)), np.empty((1 + count, 6))
    _put_numbers(
        kernel_array(rates, np.float64),
        np.atleast_1d(np.asarray(now, dtype=np.float64)),
        count if first_latest is None else first_latest,
        numbers,
    )
    np.log(numbers[:2], out=numbers[:2])
    np.log1p(numbers[2:4], out=numbers[2:4])
    np.tanh(numbers[4], out=numbers[4])
    _put_groups(numbers, table)
    return table


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _put_numbers(rates: Any, moments: Any, first_latest: Any, numbers: Any) -> None:
    """Write what the functions of `group_columns` are taken of. moments: [1] or [g]. numbers: [6, g], odds of
    the engage and the long-view rate, terminals, minutes since the last, preference, terminals."""
    for row in range(len(rates)):
        elapsed = max(moments[row if len(moments) > 1 else 0] - rates[row, 0], 0.0)
        fade, strength = 1.0, _STRENGTH
        if row >= first_latest:
            fade, strength = 2.0 ** (-elapsed / _LATEST_HALF_LIFE), _LATEST_STRENGTH
        terminals = rates[row, 1] * fade
        for rate in range(2):
            numbers[rate, row] = odds_ratio(rates[row, 2 + rate] * fade, terminals, _PRIORS[rate], strength)
        numbers[2, row] = terminals
        numbers[3, row] = elapsed / _MINUTE
        numbers[4, row] = rates[row, 4] * fade / 4
        numbers[5, row] = terminals


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _put_groups(numbers: Any, table: Any) -> None:
    table[0] = 0.0
    for row in range(numbers.shape[1]):
        group = table[1 + row]
        group[_ENGAGE_RATE] = numbers[0, row]
        group[_LONG_VIEW_RATE] = numbers[1, row]
        group[_PREFERENCE] = numbers[4, row]
        group[_LOG_TERMINALS] = numbers[2, row] / 3
        group[_RECENCY] = 1 / (1 + numbers[3, row])
        group[_TERMINALS] = numbers[5, row]
