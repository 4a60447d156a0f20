"""Whole rows of features, made of what is learned from alone: a slate keeps the person's part once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from messages.arrays import IntArray
from messages.content import ContentColumns
from messages.features import FeatureBatch, IdBags
from messages.slate_features import FACT_BAGS, FACT_IDS, SlateFeatures


def rows_of_slates(
    slates: Sequence[SlateFeatures], contents: Sequence[ContentColumns], which: IntArray, places: IntArray
) -> FeatureBatch:
    """Return k rows. slates: of one layout, all with counters or none, and the contents of each. which,
    places: int64 [k], the slate of each row and the place in it."""
    layout, count = slates[0].layout, len(slates)
    at = np.cumsum([0, *[len(slate) for slate in slates[:-1]]])[which] + places
    person_ids = np.concatenate([slate.person_ids for slate in slates]).reshape(count, -1)[which]
    content_ids = np.concatenate([slate.content_ids for slate in slates], axis=1).take(at, axis=1)
    facts = [np.concatenate([getattr(part, column) for part in contents])[at] for column in FACT_IDS.values()]
    tags = [IdBags.concatenate([getattr(part, name) for part in contents]).take(at) for name in FACT_BAGS]
    of_people = np.concatenate([slate.person_numbers for slate in slates]).reshape(count, -1)
    of_contents = np.concatenate([slate.content_numbers for slate in slates])[at]
    dense = np.empty((len(at), layout.num_person + layout.num_pair), dtype=np.float32)
    dense[:, : layout.num_person] = of_people[which]
    dense[:, layout.num_person :] = of_contents[:, : layout.num_pair]
    return FeatureBatch(
        ids=dict(zip(layout.ids, [*np.ascontiguousarray(person_ids.T), *facts, *content_ids], strict=True)),
        bags=dict(zip(layout.bags, [*_person_bags(slates, which), *tags], strict=True)),
        dense=dense,
        counters=np.ascontiguousarray(of_contents[:, layout.num_pair :]) if layout.num_counters else None,
    )


def _person_bags(slates: Sequence[SlateFeatures], which: IntArray) -> list[IdBags]:
    """Return for each of the layout's bags one for each row."""
    ends = np.array([slate.bag_ends for slate in slates], dtype=np.int64)
    offsets = np.zeros(ends.size + 1, dtype=np.int64)
    np.cumsum(np.diff(ends, axis=1, prepend=0), out=offsets[1:])
    bags = IdBags(np.concatenate([slate.bag_values for slate in slates]), offsets)
    return [bags.take(which * ends.shape[1] + number) for number in range(ends.shape[1])]
