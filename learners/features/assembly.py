"""Person, moment and n contents to ranking features: computed once, served, logged and learned from.

The joiner calls the same function for a replayed log, so features always come from the state *before* the
impression and from nothing later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from learners.features.content_features import pair_dense_features
from learners.features.counter_features import counter_features
from learners.features.request_features import RequestFeatures
from learners.features.user_features import (
    engaged_history,
    preferred_categories,
    profile_traits,
    user_dense_features,
    user_ids,
)
from learners.user_state import UserState
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.features import FeatureBatch, IdBags
from messages.identifiers import key_of
from messages.impressions import RequestContext
from messages.updates import CounterRows


def assemble(
    state: UserState,
    profile: Mapping[str, Any] | None,
    context: RequestContext,
    contents: ContentColumns,
    now: float,
    counters: CounterRows | None,
) -> FeatureBatch:
    """Compute the features of one person beside n contents, whole rows; see `assemble_request`."""
    return assemble_request(state, profile, context, contents, now, counters).whole_rows()


def assemble_request(
    state: UserState,
    profile: Mapping[str, Any] | None,
    context: RequestContext,
    contents: ContentColumns,
    now: float,
    counters: CounterRows | None,
    tower: FeatureBatch | None = None,
) -> RequestFeatures:
    """Compute the features of one person beside n contents.

    profile: the person's fields, as they gave them. now: epoch seconds of the request. counters: of these
    contents, in their order; None (a replay) leaves that block to whoever trains. tower: what
    `assemble_tower` gave of this person, where it did already.
    """
    tower = assemble_tower(state) if tower is None else tower
    user_dense = user_dense_features(state, context, now)
    ids = user_ids(state, context, now)
    person = FeatureBatch(
        {name: np.array([key], dtype=np.uint64) for name, key in ids.items()},
        {**tower.bags, "traits": IdBags.repeated(profile_traits(profile), 1)},
        user_dense[np.newaxis],
        None,
    )
    return RequestFeatures(
        person,
        contents,
        pair_dense_features(state, user_dense, contents, now, ids["language"]),
        None if counters is None else counter_features(counters, now),
    )


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


_NO_CONTENT = ContentColumns.of([ContentFacts("", "", 0.0, ContentMetadata())])
"""All its keys are MISSING_KEY, whose rows are zeros."""
