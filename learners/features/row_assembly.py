"""Features of many rows of different people at once: what `assemble` computes, from snapshots.

Every number is made by the same functions as in `assembly.py`, column by column instead of person by person,
so a row is the same to the last bit whatever rows it is assembled with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learners.features.content_features import group_columns, pair_columns
from learners.features.content_ids import content_language_keys, crossed, duration_bucket_keys
from learners.features.person_snapshot import PAIR_DTYPE, PERSON_DTYPE, PersonSnapshot
from learners.features.schema import DENSE_FEATURES, NUM_USER_DENSE, SHARED_ID_FEATURES
from messages.arrays import AnyArray, DoubleArray, IntArray, stack_counts
from messages.content import ContentColumns
from messages.features import FeatureBatch, IdBags


def assemble_rows(
    snapshots: Sequence[PersonSnapshot], places: Sequence[int], contents: Sequence[ContentColumns]
) -> FeatureBatch:
    """Return one row for each snapshot and place in its slate, without counters.

    contents: of the slates that the snapshots were taken of.
    """
    people = np.frombuffer(b"".join([snapshot.person for snapshot in snapshots]), PERSON_DTYPE)
    pairs = np.frombuffer(
        b"".join([snapshot.pair(place) for snapshot, place in zip(snapshots, places, strict=True)]),
        PAIR_DTYPE,
    )
    rows = _Contents(contents, places)
    now, user_dense = people["now"], people["dense"]
    buckets = duration_bucket_keys(rows.durations)
    shared = dict(zip(SHARED_ID_FEATURES, np.ascontiguousarray(people["ids"].T), strict=True))
    dense = np.empty((len(people), len(DENSE_FEATURES)), dtype=np.float32)
    dense[:, :NUM_USER_DENSE] = user_dense
    dense[:, NUM_USER_DENSE:] = pair_columns(
        *_groups(pairs, now),
        people["terminals"],
        (user_dense[:, 0], user_dense[:, 1]),
        rows.durations,
        rows.upload_times,
        rows.tags.lengths(),
        rows.audio_uses,
        now,
        (shared["language"], rows.language_keys),
    )
    ids = shared | {
        "content": rows.content_keys,
        "creator": rows.creator_keys,
        "category": rows.category_keys,
        "audio": rows.audio_keys,
        "duration_bucket": buckets,
        "content_language": content_language_keys(rows.language_keys),
        "surface_category": crossed(shared["surface"], rows.category_keys),
        "surface_duration": crossed(shared["surface"], buckets),
    }
    bags = {
        "history": _bags([snapshot.history for snapshot in snapshots]),
        "preferred_categories": _bags([snapshot.preferred for snapshot in snapshots]),
        "traits": _bags([snapshot.traits for snapshot in snapshots]),
        "tags": rows.tags,
    }
    return FeatureBatch(ids, bags, dense, None)


class _Contents:
    """The columns of one content of each slate."""

    def __init__(self, slates: Sequence[ContentColumns], places: Sequence[int]) -> None:
        starts = np.cumsum([0, *[len(slate) for slate in slates]])[:-1]
        at: IntArray = starts + np.asarray(places, dtype=np.int64)
        self.content_keys = np.concatenate([slate.content_keys for slate in slates])[at]
        self.creator_keys = np.concatenate([slate.creator_keys for slate in slates])[at]
        self.category_keys = np.concatenate([slate.category_keys for slate in slates])[at]
        self.language_keys = np.concatenate([slate.language_keys for slate in slates])[at]
        self.audio_keys = np.concatenate([slate.audio_keys for slate in slates])[at]
        uses = stack_counts([(len(slate), slate.audio_uses) for slate in slates])
        self.audio_uses = None if uses is None else uses[at]
        self.durations = np.concatenate([slate.durations for slate in slates])[at]
        self.upload_times = np.concatenate([slate.upload_times for slate in slates])[at]
        self.tags = IdBags.concatenate([slate.tags for slate in slates]).take(at)


def _groups(pairs: AnyArray, now: DoubleArray) -> tuple[DoubleArray, IntArray]:
    """Return the groups and the places of `pair_columns`: three groups a row. pairs: n of PAIR_DTYPE."""
    count, flags = len(pairs), pairs["flags"].T
    rates = np.concatenate([pairs[kind] for kind in ("category", "creator", "latest")])
    places = np.empty((6, count), dtype=np.int64)
    places[:3] = np.arange(1, 3 * count + 1).reshape(3, count) * flags[[0, 1, 5]]
    places[3:] = flags[2:5]
    return group_columns(rates, np.tile(now, 3), 2 * count), places


def _bags(packed: list[bytes]) -> IdBags:
    offsets = np.zeros(len(packed) + 1, dtype=np.int64)
    np.cumsum([len(keys) // 8 for keys in packed], out=offsets[1:])
    return IdBags(np.frombuffer(b"".join(packed), dtype=np.uint64), offsets)
