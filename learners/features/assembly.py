"""Person, moment and n contents to ranking features: computed once, served, logged and learned from.

The joiner calls the same function for a replayed log, so features always come from the state *before* the
impression and from nothing later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from learners.features.content_features import NUM_DURATION_BUCKETS, duration_buckets, pair_dense_features
from learners.features.counter_features import counter_features
from learners.features.schema import DENSE_FEATURES, NUM_USER_DENSE
from learners.features.user_features import (
    context_key,
    engaged_history,
    preferred_categories,
    profile_traits,
    user_dense_features,
    user_ids,
)
from learners.user_state import UserState
from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.features import FeatureBatch, IdBags
from messages.identifiers import MISSING_KEY, key_of, mix
from messages.impressions import RequestContext
from messages.updates import CounterRows

_CONTENT_LANGUAGE = key_of("content_language")
_BUCKET_KEYS: IdArray = np.array(
    [MISSING_KEY] + [context_key("duration_bucket", str(b)) for b in range(1, NUM_DURATION_BUCKETS + 1)],
    dtype=np.uint64,
)


def assemble(
    state: UserState,
    profile: Mapping[str, Any] | None,
    context: RequestContext,
    contents: ContentColumns,
    now: float,
    counters: CounterRows | None,
) -> FeatureBatch:
    """Compute the features of one person beside n contents.

    profile: the person's fields, as they gave them. now: epoch seconds of the request. counters: of these
    contents, in their order; None (a replay) leaves that block to whoever trains.
    """
    n = len(contents)
    user_dense = user_dense_features(state, context, now)
    shared = user_ids(state, context, now)
    buckets = duration_bucket_keys(contents.durations)
    on_surface = crossed(shared["surface"], np.concatenate([contents.category_keys, buckets]))
    dense = np.empty((n, len(DENSE_FEATURES)), dtype=np.float32)
    dense[:, :NUM_USER_DENSE] = user_dense
    dense[:, NUM_USER_DENSE:] = pair_dense_features(state, user_dense, contents, now, shared["language"])
    ids = {name: np.full(n, key, dtype=np.uint64) for name, key in shared.items()}
    ids |= {
        "content": contents.content_keys,
        "creator": contents.creator_keys,
        "category": contents.category_keys,
        "audio": contents.audio_keys,
        "duration_bucket": buckets,
        "content_language": content_language_keys(contents.language_keys),
        "surface_category": on_surface[:n],
        "surface_duration": on_surface[n:],
    }
    bags = {
        "history": IdBags.repeated(engaged_history(state), n),
        "preferred_categories": IdBags.repeated(preferred_categories(state), n),
        "traits": IdBags.repeated(profile_traits(profile), n),
        "tags": contents.tags,
    }
    return FeatureBatch(ids, bags, dense, None if counters is None else counter_features(counters, now))


def assemble_person(
    state: UserState, profile: Mapping[str, Any] | None, context: RequestContext, now: float
) -> FeatureBatch:
    """Compute one row without a content: what the user tower needs before there are candidates."""
    return assemble(state, profile, context, _NO_CONTENT, now, None)


def assemble_tower(state: UserState) -> FeatureBatch:
    """Compute of one row what the user tower takes and nothing else: a tenth of the work, once a request."""
    return FeatureBatch(
        {"user": np.array([key_of(state.user_id)], dtype=np.uint64)},
        {
            "history": IdBags.repeated(engaged_history(state), 1),
            "preferred_categories": IdBags.repeated(preferred_categories(state), 1),
        },
        np.empty((1, 0), dtype=np.float32),
        None,
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


_NO_CONTENT = ContentColumns.of([ContentFacts("", "", 0.0, ContentMetadata())])
"""All its keys are MISSING_KEY, whose rows are zeros."""
