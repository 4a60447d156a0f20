"""Features of impressions that came without: at once, or taken down now and assembled in batches later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from learners.features.assembly import assemble as shared_definition
from learners.features.person_snapshot import PersonSnapshot, take_snapshot
from learners.features.row_assembly import assemble_rows
from learners.user_state import UserState
from messages.content import ContentColumns
from messages.features import FeatureBatch
from messages.impressions import Impression, RequestContext
from messages.updates import CounterRows

SlateFeatures: TypeAlias = FeatureBatch | PersonSnapshot
"""Of one slate: its features, or all that they are made of."""


class FeatureAssembler(Protocol):
    """`learners.features.assembly.assemble`, or a stand-in."""

    def __call__(
        self,
        state: UserState,
        profile: Mapping[str, Any] | None,
        context: RequestContext,
        contents: ContentColumns,
        now: float,
        counters: CounterRows | None,
    ) -> FeatureBatch: ...


def replayed_features(
    assemble: FeatureAssembler, impression: Impression, state: UserState, now: float
) -> SlateFeatures:
    """Return the features of an impression as of the state before it; now: its moment, epoch seconds.

    The shared definition has a form for many rows at once; a stand-in is called here and now.
    """
    about = (state, impression.profile, impression.context, impression.contents, now)
    return take_snapshot(*about) if assemble is shared_definition else assemble(*about, None)


def features_of_rows(
    slates: Sequence[tuple[SlateFeatures, ContentColumns]], places: Sequence[int]
) -> FeatureBatch:
    """Return one row for each slate (features and contents, n of them, repeats allowed) and place in it."""
    snapshots = [row for row, (features, _) in enumerate(slates) if isinstance(features, PersonSnapshot)]
    if not snapshots:
        return _taken([features for features, _ in slates], places)
    assembled = assemble_rows(
        [slates[row][0] for row in snapshots],  # type: ignore[misc]
        [places[row] for row in snapshots],
        [slates[row][1] for row in snapshots],
    )
    if len(snapshots) == len(slates):
        return assembled
    # Somebody mixes a replay and live traffic in one namespace: the learner adds the counters to all.
    served = [row for row, (features, _) in enumerate(slates) if isinstance(features, FeatureBatch)]
    taken = _taken([slates[row][0] for row in served], [places[row] for row in served])
    parts = [assembled, FeatureBatch(taken.ids, taken.bags, taken.dense, None)]
    return FeatureBatch.concatenate(parts).take(np.argsort(np.array(snapshots + served)))


def _taken(slates: Sequence[Any], places: Sequence[int]) -> FeatureBatch:
    """Stack the slates, each once, and take the rows out in one go: many small takes cost far more."""
    parts: list[FeatureBatch] = list({id(slate): slate for slate in slates}.values())
    starts: dict[int, int] = {}
    start = 0
    for part in parts:
        starts[id(part)] = start
        start += len(part)
    first_rows = np.array([starts[id(slate)] for slate in slates], dtype=np.int64)
    if any(part.counters is None for part in parts):
        # As above, with a stand-in.
        parts = [FeatureBatch(part.ids, part.bags, part.dense, None) for part in parts]
    return FeatureBatch.concatenate(parts).take(first_rows + np.asarray(places, dtype=np.int64))
