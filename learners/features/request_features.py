"""The features of one person beside n contents, the person's own part once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from learners.features.content_ids import derived_content_ids
from learners.features.schema import SERVED_LAYOUT
from learners.features.slate_rows import rows_of_slates
from messages.arrays import FloatArray, IntArray
from messages.content import ContentColumns
from messages.features import FeatureBatch
from messages.slate_features import SlateFeatures

_WITHOUT_COUNTERS = replace(SERVED_LAYOUT, num_counters=0)


@dataclass(frozen=True, slots=True)
class RequestFeatures:
    """person: one row of what person and moment give alone, `dense` with NUM_USER_DENSE columns. contents:
    names are not read. pair: float32 [n, P], the columns of PAIR_DENSE_FEATURES. counters: float32 [n, C], or
    None in a replay."""

    person: FeatureBatch
    contents: ContentColumns
    pair: FloatArray
    counters: FloatArray | None

    def __len__(self) -> int:
        return len(self.pair)

    def take(self, rows: IntArray) -> Any:
        """Return some contents' features as impressions log them, SlateFeatures. rows: int64 [k]."""
        return self.slate(rows)

    def slate(self, rows: IntArray) -> SlateFeatures:
        """Return some contents' features, without the facts of the contents. rows: int64 [k]."""
        person = self.person
        layout = SERVED_LAYOUT if self.counters is not None else _WITHOUT_COUNTERS
        ids = [person.ids[name] for name in layout.person_ids]
        bags = [person.bags[name].values for name in layout.person_bags]
        of_contents = derived_content_ids(person.ids["surface"][0], self.contents, rows)
        numbers = np.empty(layout.num_person + len(rows) * layout.num_of_content, dtype=np.float32)
        features = SlateFeatures(
            layout=layout,
            bag_ends=list(accumulate(map(len, bags))),
            keys=np.concatenate([*ids, *bags, of_contents.ravel()]),
            numbers=numbers,
        )
        numbers[: layout.num_person] = person.dense[0]
        content_numbers = features.content_numbers
        content_numbers[:, : layout.num_pair] = self.pair[rows]
        if self.counters is not None:
            content_numbers[:, layout.num_pair :] = self.counters[rows]
        return features

    def whole_rows(self) -> FeatureBatch:
        """Return the features of all n contents as rows of their own."""
        every = np.arange(len(self))
        return rows_of_slates([self.slate(every)], [self.contents], np.zeros_like(every), every)
