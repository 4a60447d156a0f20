"""Which embedding rows a batch reads, each once, and where in the batch each of them is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from learners.features.schema import BAG_FEATURES, ID_FEATURES, RETRIEVAL_SLOT, RETRIEVAL_SOURCE_SLOT
from messages.arrays import AnyArray, IdArray, IntArray
from messages.features import FeatureBatch


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """ids: uint64 [m], unique and rising. counts: uint32 [m], occurrences in the batch. places: per feature,
    the index in `ids` of each of its ids, int64."""

    ids: IdArray
    counts: AnyArray
    places: dict[str, IntArray]


def plan_rows(features: FeatureBatch) -> dict[str, SlotPlan]:
    """Return the plan of every slot; retrieval reads the contents that the content slot reads."""
    columns: dict[str, dict[str, IdArray]] = {}
    for feature, slot in ID_FEATURES.items():
        columns.setdefault(slot, {})[feature] = features.ids[feature]
    for feature, slot in BAG_FEATURES.items():
        columns.setdefault(slot, {})[feature] = features.bags[feature].values
    plan = {slot: _plan_slot(by_feature) for slot, by_feature in columns.items()}
    return plan | {RETRIEVAL_SLOT: plan[RETRIEVAL_SOURCE_SLOT]}


def _plan_slot(columns: dict[str, IdArray]) -> SlotPlan:
    keys = np.concatenate(list(columns.values()))
    # numpy's `unique` does the same in three times the time.
    order = np.argsort(keys)
    ordered = keys[order]
    is_first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    ids, counts = ordered[starts], np.diff(starts, append=len(keys))
    places = np.empty(len(keys), dtype=np.int64)
    places[order] = np.cumsum(is_first) - 1
    ends = np.cumsum([len(column) for column in columns.values()])[:-1]
    return SlotPlan(ids, counts.astype(np.uint32), dict(zip(columns, np.split(places, ends), strict=True)))
