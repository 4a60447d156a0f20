"""The ids that features make of a content's facts and of the moment: hashed in one way everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.features.user_features import context_key
from learners.kernel_arrays import kernel_array
from messages.arrays import FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.identifiers import MISSING_KEY, key_of

NUM_DURATION_BUCKETS = 16
CONTENT_LANGUAGE = np.uint64(key_of("content_language"))
"""Crossed with a language it is the key of a content's language: another than that of who asks in it."""

_PER_DOUBLING = np.float32(1.6)
_BUCKET_KEYS: IdArray = np.array(
    [MISSING_KEY] + [context_key("duration_bucket", str(b)) for b in range(1, NUM_DURATION_BUCKETS + 1)],
    dtype=np.uint64,
)
"""None for an unknown duration, then by the logarithm of the seconds."""


def crossed(key: int | np.uint64 | IdArray, keys: IdArray) -> IdArray:
    """Return a key for each pair, uint64 [n]; MISSING_KEY where either side is missing. key: one, or n.

    Of a and b it is mix(a ^ mix(b)).
    """
    pairs = np.empty(len(keys), dtype=np.uint64)
    first = np.atleast_1d(np.asarray(key, dtype=np.uint64))
    _cross(kernel_array(first, np.uint64), kernel_array(keys, np.uint64), pairs)
    return pairs


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cross(first: Any, keys: Any, pairs: Any) -> None:
    for index in range(len(keys)):
        pairs[index] = pair_key(first[index if len(first) > 1 else 0], keys[index])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def pair_key(one: Any, other: Any) -> Any:
    """Return `crossed` of one pair, for kernels."""
    missing = np.uint64(MISSING_KEY)
    if one == missing or other == missing:
        return missing
    return _mixed(one ^ _mixed(other))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mixed(key: Any) -> Any:
    """Return `messages.identifiers.mix` of one key."""
    key += np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def content_language_keys(language_keys: IdArray) -> IdArray:
    """Return the row's key of each content's language, uint64 [n]."""
    return crossed(CONTENT_LANGUAGE, language_keys)


def derived_content_ids(surface: np.uint64, contents: ContentColumns, rows: IntArray) -> IdArray:
    """Return the ids that are made of the facts of some contents and the surface they are shown on, uint64
    [4, k]: duration bucket, language, and category and bucket crossed with the surface. rows: int64 [k]."""
    durations = contents.durations[rows]
    ids = np.empty((4, len(rows)), dtype=np.uint64)
    _derive(
        surface,
        kernel_array(contents.category_keys, np.uint64),
        kernel_array(contents.language_keys, np.uint64),
        durations,
        np.log2(np.fmax(durations, np.float32(1))),
        kernel_array(rows, np.int64),
        ids,
    )
    return ids


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _derive(
    surface: Any, categories: Any, languages: Any, durations: Any, logarithms: Any, rows: Any, ids: Any
) -> None:
    for place in range(len(rows)):
        row = rows[place]
        bucket = _bucket_key(durations[place], logarithms[place])
        ids[0, place] = bucket
        ids[1, place] = pair_key(CONTENT_LANGUAGE, languages[row])
        ids[2, place] = pair_key(surface, categories[row])
        ids[3, place] = pair_key(surface, bucket)


def duration_bucket_keys(durations: FloatArray) -> IdArray:
    """Return the key of each duration's bucket, uint64 [n]. durations: seconds, NaN where unknown."""
    keys = np.empty(len(durations), dtype=np.uint64)
    _put_bucket_keys(kernel_array(durations, np.float32), np.log2(np.fmax(durations, np.float32(1))), keys)
    return keys


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_bucket_keys(durations: Any, logarithms: Any, keys: Any) -> None:
    for row in range(len(keys)):
        keys[row] = _bucket_key(durations[row], logarithms[row])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _bucket_key(duration: Any, logarithm: Any) -> Any:
    bucket: Any = 0
    if np.isfinite(duration):
        bucket = min(np.int64(logarithm * _PER_DOUBLING) + 1, NUM_DURATION_BUCKETS)
    return _BUCKET_KEYS[bucket]
