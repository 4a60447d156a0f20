"""The features of one person beside n contents, the person's own part once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from learners.features.content_ids import content_language_keys, crossed, duration_bucket_keys
from learners.features.schema import DENSE_FEATURES, NUM_USER_DENSE
from messages.arrays import FloatArray, IntArray
from messages.content import ContentColumns
from messages.features import FeatureBatch, IdBags


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

    def take(self, rows: IntArray) -> FeatureBatch:
        """Return some contents' features as rows of their own, as impressions log them. rows: int64 [k]."""
        person, contents, count = self.person, self.contents, len(rows)
        categories = contents.category_keys[rows]
        buckets = duration_bucket_keys(contents.durations[rows])
        on_surface = crossed(person.ids["surface"], np.concatenate([categories, buckets]))
        dense = np.empty((count, len(DENSE_FEATURES)), dtype=np.float32)
        dense[:, :NUM_USER_DENSE] = person.dense
        dense[:, NUM_USER_DENSE:] = self.pair[rows]
        ids = {name: np.repeat(key, count) for name, key in person.ids.items()}
        ids |= {
            "content": contents.content_keys[rows],
            "creator": contents.creator_keys[rows],
            "category": categories,
            "audio": contents.audio_keys[rows],
            "duration_bucket": buckets,
            "content_language": content_language_keys(contents.language_keys[rows]),
            "surface_category": on_surface[:count],
            "surface_duration": on_surface[count:],
        }
        bags = {name: IdBags.repeated(bag.values, count) for name, bag in person.bags.items()}
        bags["tags"] = contents.tags.take(rows)
        counters = None if self.counters is None else self.counters[rows]
        return FeatureBatch(ids, bags, dense, counters)
