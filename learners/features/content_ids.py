"""The ids that features make of a content's facts and of the moment: hashed in one way everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.features.content_features import NUM_DURATION_BUCKETS, duration_buckets
from learners.features.user_features import context_key
from messages.arrays import FloatArray, IdArray
from messages.identifiers import MISSING_KEY, key_of

_CONTENT_LANGUAGE = key_of("content_language")
_BUCKET_KEYS: IdArray = np.array(
    [MISSING_KEY] + [context_key("duration_bucket", str(b)) for b in range(1, NUM_DURATION_BUCKETS + 1)],
    dtype=np.uint64,
)


def crossed(key: int | IdArray, keys: IdArray) -> IdArray:
    """Return a key for each pair, uint64 [n]; MISSING_KEY where either side is missing. key: one, or n.

    Of a and b it is mix(a ^ mix(b)).
    """
    pairs = np.empty(len(keys), dtype=np.uint64)
    first = np.atleast_1d(np.asarray(key, dtype=np.uint64))
    _cross(_kernel_keys(first), _kernel_keys(keys), pairs)
    return pairs


def _kernel_keys(keys: IdArray) -> IdArray:
    """Return keys as one kind of array: numba compiles anew for each layout, alignment and writability."""
    return np.require(keys, dtype=np.uint64, requirements=("C", "A", "W"))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cross(first: Any, keys: Any, pairs: Any) -> None:
    missing = np.uint64(MISSING_KEY)
    for index in range(len(keys)):
        one = first[index if len(first) > 1 else 0]
        if one == missing or keys[index] == missing:
            pairs[index] = missing
        else:
            pairs[index] = _mixed(one ^ _mixed(keys[index]))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mixed(key: Any) -> Any:
    """Return `messages.identifiers.mix` of one key."""
    key += np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def content_language_keys(language_keys: IdArray) -> IdArray:
    """Return the row's key of each content's language, uint64 [n]: another than that of who asks in it."""
    return crossed(_CONTENT_LANGUAGE, language_keys)


def duration_bucket_keys(durations: FloatArray) -> IdArray:
    """Return the key of each duration's bucket, uint64 [n]."""
    return _BUCKET_KEYS[duration_buckets(durations)]
