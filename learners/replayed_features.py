"""Features of impressions that came without: at once, or taken down now and assembled in batches later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from learners.features.assembly import assemble as shared_definition
from learners.features.person_snapshot import PersonSnapshot, take_snapshot
from learners.features.row_assembly import assemble_rows
from learners.features.slate_rows import rows_of_slates
from learners.user_state import UserState
from messages.arrays import IntArray
from messages.content import ContentColumns
from messages.features import FeatureBatch
from messages.impressions import Impression, RequestContext
from messages.slate_features import SlateFeatures
from messages.updates import CounterRows

KnownFeatures: TypeAlias = SlateFeatures | FeatureBatch | PersonSnapshot
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
) -> KnownFeatures:
    """Return the features of an impression as of the state before it; now: its moment, epoch seconds.

    The shared definition has a form for many rows at once; a stand-in is called here and now.
    """
    about = (state, impression.profile, impression.context, impression.contents, now)
    return take_snapshot(*about) if assemble is shared_definition else assemble(*about, None)


def features_of_rows(
    slates: Sequence[tuple[KnownFeatures, ContentColumns]], places: Sequence[int]
) -> FeatureBatch:
    """Return one row for each slate (features and contents, n of them, repeats allowed) and place in it."""
    of_kind: dict[type, list[int]] = {}
    for row, (features, _) in enumerate(slates):
        of_kind.setdefault(type(features), []).append(row)
    parts = [
        _ROWS_OF[kind]([slates[row] for row in rows], [places[row] for row in rows])
        for kind, rows in of_kind.items()
    ]
    if len(parts) == 1:
        return parts[0]
    if any(part.counters is None for part in parts):
        # Somebody mixes a replay and live traffic in one namespace: the learner adds the counters to all.
        parts = [FeatureBatch(part.ids, part.bags, part.dense, None) for part in parts]
    order = np.argsort([row for rows in of_kind.values() for row in rows])
    return FeatureBatch.concatenate(parts).take(order)


def _assembled(slates: Sequence[Any], places: Sequence[int]) -> FeatureBatch:
    return assemble_rows([features for features, _ in slates], places, [contents for _, contents in slates])


def _of_slates(slates: Sequence[Any], places: Sequence[int]) -> FeatureBatch:
    parts, which = _each_once(slates)
    features, contents = zip(*parts, strict=True)
    return rows_of_slates(features, contents, which, np.asarray(places, dtype=np.int64))


def _taken(slates: Sequence[Any], places: Sequence[int]) -> FeatureBatch:
    """Stack the slates, each once, and take the rows out in one go: many small takes cost far more."""
    distinct, which = _each_once(slates)
    parts: list[FeatureBatch] = [features for features, _ in distinct]
    starts = np.cumsum([0, *[len(part) for part in parts]])
    if any(part.counters is None for part in parts):
        # As above, with a stand-in.
        parts = [FeatureBatch(part.ids, part.bags, part.dense, None) for part in parts]
    return FeatureBatch.concatenate(parts).take(starts[which] + np.asarray(places, dtype=np.int64))


def _each_once(slates: Sequence[Any]) -> tuple[list[Any], IntArray]:
    """Return the slates without repeats, and for each of those given which it is."""
    numbers: dict[int, int] = {}
    which = [numbers.setdefault(id(features), len(numbers)) for features, _ in slates]
    return list({id(slate[0]): slate for slate in slates}.values()), np.array(which, dtype=np.int64)


_ROWS_OF: dict[type, Callable[[Sequence[Any], Sequence[int]], FeatureBatch]] = {
    PersonSnapshot: _assembled,
    SlateFeatures: _of_slates,
    FeatureBatch: _taken,
}
