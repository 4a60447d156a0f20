"""The hashing trick as a mapping of ids: several ids get one row of the same, collisionless, table.

It is what Monolith (arXiv 2209.07663, section 2.1) compares its table with: ids modulo a table size after a
hash, so that ids collide (Weinberger et al., ICML 2009).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from learners.features.schema import (
    AUDIO_SLOT,
    BAG_FEATURES,
    CONTENT_SLOT,
    CREATOR_SLOT,
    ID_FEATURES,
    RETRIEVAL_SLOT,
    RETRIEVAL_SOURCE_SLOT,
    USER_SLOT,
)
from messages.arrays import IdArray
from messages.examples import ExampleBatch
from messages.features import FeatureBatch, IdBags
from messages.identifiers import MISSING_KEY, key_of, mix
from messages.updates import Rows

HASHED_SLOTS: tuple[str, ...] = (USER_SLOT, CONTENT_SLOT, CREATOR_SLOT, AUDIO_SLOT)
"""Those with an id for every person or thing; categories and contexts are few."""


def distinct_ids(batches: Iterable[ExampleBatch]) -> dict[str, IdArray]:
    """Return the ids of each hashed slot that occur anywhere, uint64, rising."""
    seen: dict[str, list[IdArray]] = {slot: [] for slot in HASHED_SLOTS}
    for batch in batches:
        if batch.joined is None:
            continue
        features = batch.joined.features
        for name, slot in ID_FEATURES.items():
            if slot in seen:
                seen[slot].append(np.unique(features.ids[name]))
        for name, slot in BAG_FEATURES.items():
            if slot in seen:
                seen[slot].append(np.unique(features.bags[name].values))
    together = {slot: np.unique(np.concatenate(parts)) for slot, parts in seen.items()}
    return {slot: ids[ids != MISSING_KEY] for slot, ids in together.items()}


class HashingTrick:
    """sizes: rows for each slot that is hashed. salt: another one collides other ids."""

    def __init__(self, sizes: Mapping[str, int], salt: int = 0) -> None:
        self._sizes = {slot: np.uint64(max(1, size)) for slot, size in sizes.items()}
        if RETRIEVAL_SOURCE_SLOT in self._sizes:
            self._sizes[RETRIEVAL_SLOT] = self._sizes[RETRIEVAL_SOURCE_SLOT]
        self._salts = {
            slot: np.uint64(key_of(f"{salt}-{RETRIEVAL_SOURCE_SLOT if slot == RETRIEVAL_SLOT else slot}"))
            for slot in self._sizes
        }

    def ids(self, slot: str, ids: IdArray) -> IdArray:
        """Return row numbers from 1, uint64 [n]; MISSING_KEY stays, and so do the ids of slots not hashed."""
        if slot not in self._sizes:
            return ids
        rows: IdArray = mix(ids ^ self._salts[slot]) % self._sizes[slot] + np.uint64(1)
        rows[ids == MISSING_KEY] = MISSING_KEY
        return rows

    def batch(self, batch: ExampleBatch) -> ExampleBatch:
        """Return a batch whose features name the shared rows."""
        if batch.joined is None:
            return batch
        features = batch.joined.features
        mapped = FeatureBatch(
            ids={name: self.ids(ID_FEATURES[name], ids) for name, ids in features.ids.items()},
            bags={
                name: IdBags(self.ids(BAG_FEATURES[name], bags.values), bags.offsets)
                for name, bags in features.bags.items()
            },
            dense=features.dense,
            counters=features.counters,
        )
        return dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, features=mapped))

    def births(self, births: Mapping[str, Rows]) -> dict[str, Rows]:
        """Return the births of shared rows; of several that share one, the first."""
        mapped = {}
        for slot, rows in births.items():
            ids, first = np.unique(self.ids(slot, rows.ids), return_index=True)
            mapped[slot] = Rows(ids, rows.values[first])
        return mapped

    def collided_share(self, ids: Mapping[str, IdArray]) -> float:
        """Return the share of ids that must share their row with another. ids: per slot, unique."""
        collided = 0
        for slot, of_slot in ids.items():
            _, place, counts = np.unique(self.ids(slot, of_slot), return_inverse=True, return_counts=True)
            collided += int((counts[place] > 1).sum())
        return collided / max(1, sum(len(of_slot) for of_slot in ids.values()))
