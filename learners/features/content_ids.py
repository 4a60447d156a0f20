"""The ids that features make of a content's facts and of the moment: hashed in one way everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.features.user_features import context_key
from learners.kernel_arrays import kernel_array
from messages.arrays import FloatArray, IdArray
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


def duration_bucket_keys(durations: FloatArray) -> IdArray:
    """Return the key of each duration's bucket, uint64 [n]. durations: seconds, NaN where unknown."""
    keys = np.empty(len(durations), dtype=np.uint64)
    _put_bucket_keys(kernel_array(durations, np.float32), duration_logarithms(durations), keys)
    return keys


def duration_logarithms(durations: FloatArray) -> FloatArray:
    """Return what buckets are made of, float32 [n]: by numpy, since compiled logarithms round otherwise."""
    logarithms: FloatArray = np.log2(np.fmax(durations, np.float32(1)))
    return logarithms


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_bucket_keys(durations: Any, logarithms: Any, keys: Any) -> None:
    for row in range(len(keys)):
        keys[row] = bucket_key(durations[row], logarithms[row])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def bucket_key(duration: Any, logarithm: Any) -> Any:
    """Return `duration_bucket_keys` of one, for kernels. logarithm: see there."""
    bucket: Any = 0
    if np.isfinite(duration):
        bucket = min(np.int64(logarithm * _PER_DOUBLING) + 1, NUM_DURATION_BUCKETS)
    return _BUCKET_KEYS[bucket]
