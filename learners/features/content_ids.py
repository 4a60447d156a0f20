"""The ids that features make of a content's facts and of the moment: hashed in one way everywhere."""

from __future__ import annotations

import numpy as np

from learners.features.content_features import NUM_DURATION_BUCKETS, duration_buckets
from learners.features.user_features import context_key
from messages.arrays import FloatArray, IdArray
from messages.identifiers import MISSING_KEY, key_of, mix

_CONTENT_LANGUAGE = key_of("content_language")
_BUCKET_KEYS: IdArray = np.array(
    [MISSING_KEY] + [context_key("duration_bucket", str(b)) for b in range(1, NUM_DURATION_BUCKETS + 1)],
    dtype=np.uint64,
)


def crossed(key: int | IdArray, keys: IdArray) -> IdArray:
    """Return a key for each pair, uint64 [n]; MISSING_KEY where either side is missing. key: one, or n."""
    first = np.asarray(key, dtype=np.uint64)
    pairs = mix(first ^ mix(keys))
    return np.where((keys == MISSING_KEY) | (first == MISSING_KEY), np.uint64(MISSING_KEY), pairs)


def content_language_keys(language_keys: IdArray) -> IdArray:
    """Return the row's key of each content's language, uint64 [n]: another than that of who asks in it."""
    return crossed(_CONTENT_LANGUAGE, language_keys)


def duration_bucket_keys(durations: FloatArray) -> IdArray:
    """Return the key of each duration's bucket, uint64 [n]."""
    return _BUCKET_KEYS[duration_buckets(durations)]
