"""Which new ids are given a row: most are seen once and never matter (Monolith, arXiv 2209.07663, 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from messages.arrays import AnyArray, BoolArray, IdArray, IntArray
from messages.identifiers import buckets_of, mix
from parameter_server.retirement import overdue, surplus
from parameter_server.row_table import RowTable
from parameter_server.settings import AdmissionSettings

_DRAW_UNIT = 2.0**-53


@dataclass(frozen=True, slots=True)
class Candidates:
    """Ids that wait for a row. ids: uint64 [c]. counts: occurrences, int64 [c]. times: of the last one."""

    ids: IdArray
    counts: IntArray
    times: IntArray

    @classmethod
    def none(cls) -> Candidates:
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing.astype(np.uint64), nothing, nothing)

    def of_buckets(self, wanted: BoolArray) -> Candidates:
        """Return those of wanted buckets. wanted: bool [NUM_BUCKETS]."""
        kept = wanted[buckets_of(self.ids)]
        return Candidates(self.ids[kept], self.counts[kept], self.times[kept])


class AdmissionFilter:
    """Counts the occurrences of ids without a row, exactly, for a bounded number of them; then draws lots.

    Lots come from hash(slot, id, position in the stream), never from a generator's state.
    """

    def __init__(self, settings: AdmissionSettings, slot_seed: np.uint64) -> None:
        self.settings = settings
        self._seed = slot_seed
        self._candidates = RowTable(1)
        self._version = 0

    def __len__(self) -> int:
        return len(self._candidates)

    @property
    def num_bytes(self) -> int:
        return self._candidates.num_bytes

    def admit(self, ids: IdArray, counts: AnyArray, time: int, draw: int) -> BoolArray:
        """Say which ids may have a row from now on, bool [m].

        ids: uint64 [m], unique, without a row. counts: occurrences in this batch, [m]. time: of the stream,
        epoch seconds, rising. draw: names the batch's position in the stream.
        """
        admitted = self._drawn(ids, counts, draw)
        if self.settings.min_count > 1:
            seen = self._count(ids, counts, time)
            admitted &= seen >= self.settings.min_count
            self._candidates.erase(ids[admitted])
        return admitted

    def forget_stale(self, time: int, expire_after: float | None, share: float) -> None:
        """Drop candidates not seen for long, and the oldest beyond the bound."""
        for gone in (
            overdue(self._candidates, time, expire_after),
            surplus(self._candidates, max(1, round(self.settings.max_candidates * share))),
        ):
            self._candidates.erase(gone)

    def state(self) -> Candidates:
        """Return a copy of all candidates."""
        ids, rows = self._candidates.index.entries()
        counts = self._candidates.storage.read(rows, 1)[:, 0].astype(np.int64)
        return Candidates(ids, counts, self._candidates.times_of(rows))

    def load(self, candidates: Candidates) -> None:
        """Take over candidates that are not here."""
        words = candidates.counts.astype(np.uint32)[:, None]
        self._candidates.load(candidates.ids, words, candidates.times)

    def erase(self, ids: IdArray) -> None:
        self._candidates.erase(ids)

    def _drawn(self, ids: IdArray, counts: AnyArray, draw: int) -> BoolArray:
        if self.settings.probability >= 1.0:
            return np.ones(len(ids), dtype=np.bool_)
        hashed = mix(mix(ids ^ self._seed) ^ np.uint64(draw))
        chance = 1.0 - (1.0 - self.settings.probability) ** np.asarray(counts, dtype=np.float64)
        drawn: BoolArray = (hashed >> np.uint64(11)) * _DRAW_UNIT < chance
        return drawn

    def _count(self, ids: IdArray, counts: AnyArray, time: int) -> IntArray:
        known = self._candidates.index.find(ids)
        seen = np.asarray(counts, dtype=np.int64).copy()
        found = known >= 0
        seen[found] += self._candidates.storage.read(known[found], 1)[:, 0]
        np.minimum(seen, np.iinfo(np.uint32).max, out=seen)
        self._version += 1
        self._candidates.put(ids, seen.astype(np.uint32)[:, None], self._version, time)
        return seen
