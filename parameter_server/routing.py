"""Which shard holds which bucket, and how requests and updates are cut for the shards and joined again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from messages.arrays import FloatArray, IdArray, IntArray
from messages.identifiers import NUM_BUCKETS, buckets_of, key_of_buckets, keys_of, mix
from messages.updates import CounterRows, PullReply, PullRequest, RowGradients, Rows, Update
from parameter_server.dense_parameters import bucket_of_dense

_Cut = TypeVar("_Cut", RowGradients, Rows, CounterRows)


def assign_buckets(num_shards: int) -> IntArray:
    """Return the shard of each bucket, int64 [NUM_BUCKETS].

    Rendezvous hashing (Thaler and Ravishankar 1998): a bucket goes to the shard with the highest hash of the
    two, so that one shard more or less moves only the buckets that must move.
    """
    if num_shards < 1:
        raise ValueError("there must be a shard")
    shards = keys_of(f"shard-{shard}" for shard in range(num_shards))
    buckets = mix(np.arange(NUM_BUCKETS, dtype=np.uint64))
    assignment: IntArray = np.argmax(mix(buckets[:, None] ^ shards[None, :]), axis=1).astype(np.int64)
    return assignment


@dataclass(frozen=True, slots=True)
class MergedPull:
    """One answer out of several shards'.

    values: per slot, float32 [m, dimension] in the order asked. versions: of the group, by shard.
    """

    values: Mapping[str, FloatArray]
    dense: Mapping[str, FloatArray]
    counters: CounterRows | None
    versions: Mapping[int, int]


class ShardRouter:
    """Cuts by bucket. bucket_to_shard: int64 [NUM_BUCKETS]."""

    def __init__(self, bucket_to_shard: IntArray) -> None:
        self._bucket_to_shard = np.asarray(bucket_to_shard, dtype=np.int64)
        if self._bucket_to_shard.shape != (NUM_BUCKETS,):
            raise ValueError(f"need one shard for each of {NUM_BUCKETS} buckets")
        self.shards: list[int] = [int(shard) for shard in np.unique(self._bucket_to_shard)]
        self._dense_shards: dict[str, int] = {}
        self._keys = {shard: key_of_buckets(self.buckets_of_shard(shard)) for shard in self.shards}

    def buckets_of_shard(self, shard: int) -> IntArray:
        """Return the buckets that a shard hosts, int64."""
        return np.flatnonzero(self._bucket_to_shard == shard)

    def shard_of_dense(self, name: str) -> int:
        """Return the shard that holds a dense weight array."""
        if name not in self._dense_shards:
            self._dense_shards[name] = int(self._bucket_to_shard[bucket_of_dense(name)])
        return self._dense_shards[name]

    def rows_by_shard(self, ids: IdArray) -> dict[int, IntArray]:
        """Return, for every shard, which places of `ids` are its own, int64, in order."""
        if len(self.shards) == 1:
            return {self.shards[0]: np.arange(len(ids))}
        shards = self._bucket_to_shard[buckets_of(ids)]
        return {shard: np.flatnonzero(shards == shard) for shard in self.shards}

    def split_pull(
        self, request: PullRequest, dense_versions: Mapping[int, int] | None = None
    ) -> dict[int, PullRequest]:
        """Cut a request; shards of which nothing is asked are left out, but one is always asked.

        dense_versions: replaces `dense_newer_than`, if that is given, by the version of each shard that the
        sender last saw (`MergedPull.versions`); shards count their versions apart.
        """
        places = {slot: self.rows_by_shard(ids) for slot, ids in request.ids.items()}
        counter_places = None if request.counter_ids is None else self.rows_by_shard(request.counter_ids)
        requests = {}
        for shard in self.shards:
            newer_than = request.dense_newer_than
            if newer_than is not None and dense_versions is not None:
                newer_than = dense_versions.get(shard, -1)
            requests[shard] = PullRequest(
                group=request.group,
                ids={slot: ids[places[slot][shard]] for slot, ids in request.ids.items()},
                dense_newer_than=newer_than,
                counter_ids=None
                if request.counter_ids is None or counter_places is None
                else request.counter_ids[counter_places[shard]],
                cut_for=self._keys[shard],
            )
        needed = [shard for shard in self.shards if _asks_something(requests[shard])]
        return {shard: requests[shard] for shard in needed or self.shards[:1]}

    def merge_pull(self, request: PullRequest, replies: Mapping[int, PullReply]) -> MergedPull:
        """Put the answers to `split_pull(request)` together, in the order of the request."""
        values = {}
        for slot, ids in request.ids.items():
            dimension = next(iter(replies.values())).values[slot].shape[1]
            merged = np.empty((len(ids), dimension), dtype=np.float32)
            for shard, places in self.rows_by_shard(ids).items():
                if len(places):
                    merged[places] = replies[shard].values[slot]
            values[slot] = merged
        counters = None
        if request.counter_ids is not None:
            counters = CounterRows.zeros(request.counter_ids)
            for shard, places in self.rows_by_shard(request.counter_ids).items():
                if len(places):
                    part = replies[shard].counters
                    assert part is not None
                    counters.totals[places] = part.totals
                    counters.decayed[places] = part.decayed
                    counters.times[places] = part.times
        return MergedPull(
            values=values,
            dense={name: weights for reply in replies.values() for name, weights in reply.dense.items()},
            counters=counters,
            versions={shard: reply.version for shard, reply in replies.items()},
        )

    def split_update(self, update: Update) -> dict[int, Update]:
        """Cut an update; every shard gets the spans, also with no rows, so that all positions move."""
        rows = {slot: self._cut(part) for slot, part in update.rows.items()}
        births = {slot: self._cut(part) for slot, part in update.births.items()}
        counters = None if update.counters is None else self._cut(update.counters)
        return {
            shard: dataclasses.replace(
                update,
                rows={slot: parts[shard] for slot, parts in rows.items() if shard in parts},
                births={slot: parts[shard] for slot, parts in births.items() if shard in parts},
                dense={
                    name: gradient
                    for name, gradient in update.dense.items()
                    if self.shard_of_dense(name) == shard
                },
                counters=None if counters is None else counters.get(shard),
                cut_for=self._keys[shard],
            )
            for shard in self.shards
        }

    def _cut(self, part: _Cut) -> dict[int, _Cut]:
        by_shard = self.rows_by_shard(part.ids).items()
        return {shard: part.take(places) for shard, places in by_shard if len(places)}


def update_of_buckets(update: Update, buckets: IntArray) -> Update:
    """Return the part of an update that belongs to some buckets, with all of its spans."""
    wanted = np.zeros(NUM_BUCKETS, dtype=np.bool_)
    wanted[buckets] = True

    def part_of(part: _Cut) -> _Cut:
        return part.take(np.flatnonzero(wanted[buckets_of(part.ids)]))

    return dataclasses.replace(
        update,
        rows={slot: part_of(rows) for slot, rows in update.rows.items()},
        births={slot: part_of(births) for slot, births in update.births.items()},
        dense={name: slope for name, slope in update.dense.items() if wanted[bucket_of_dense(name)]},
        counters=None if update.counters is None else part_of(update.counters),
    )


def _asks_something(request: PullRequest) -> bool:
    has_rows = any(len(ids) for ids in request.ids.values())
    has_counters = request.counter_ids is not None and len(request.counter_ids) > 0
    return has_rows or has_counters or request.dense_newer_than is not None
