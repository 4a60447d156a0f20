"""Ranking features in columns: what serving scored, what the impression logs, what the learner trains on.

`learners/features` says which names exist and computes them; this is only their shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from messages.arrays import FloatArray, IdArray, IntArray
from messages.codec import MalformedMessageError

_FEW = 64


@dataclass(frozen=True, slots=True)
class IdBags:
    """A variable number of ids per row: row i holds values[offsets[i]:offsets[i + 1]].

    values: uint64 [m]. offsets: int64 [n + 1], rising from 0 to m.
    """

    values: IdArray
    offsets: IntArray

    @classmethod
    def of(cls, rows: Sequence[IdArray]) -> IdBags:
        """Pack one array of ids per row."""
        offsets = np.array([0, *accumulate(map(len, rows))], dtype=np.int64)
        values = np.concatenate(rows) if rows else np.empty(0, dtype=np.uint64)
        return cls(values.astype(np.uint64, copy=False), offsets)

    @classmethod
    def repeated(cls, ids: IdArray, times: int) -> IdBags:
        """Give every one of `times` rows the same bag (one person's history beside each candidate)."""
        return cls(
            np.repeat(ids[np.newaxis], times, axis=0).ravel(), np.arange(times + 1, dtype=np.int64) * len(ids)
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def lengths(self) -> IntArray:
        lengths: IntArray = self.offsets[1:] - self.offsets[:-1]  # a third of the time of numpy's diff
        return lengths

    def take(self, rows: IntArray) -> IdBags:
        lengths = self.lengths()[rows]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return IdBags(self.values[np.repeat(self.offsets[:-1][rows], lengths) + within], offsets)

    @staticmethod
    def concatenate(parts: Sequence[IdBags]) -> IdBags:
        lengths = [part.lengths() for part in parts]
        offsets = np.zeros(sum(len(part) for part in parts) + 1, dtype=np.int64)
        np.cumsum(np.concatenate(lengths), out=offsets[1:])
        return IdBags(np.concatenate([part.values for part in parts]), offsets)

    def to_wire(self) -> list[Any]:
        return [self.values, self.offsets]

    @classmethod
    def from_wire(cls, wire: Any) -> IdBags:
        values, offsets = wire
        if len(offsets) <= _FEW:  # a slate's: numpy takes five times as long to begin with them
            steps = offsets.tolist()
            rising = bool(steps) and steps[0] == 0 and steps[-1] == len(values) and steps == sorted(steps)
        else:
            rising = offsets.ndim == 1 and offsets[0] == 0 and offsets[-1] == len(values)
            rising = rising and not (offsets[1:] < offsets[:-1]).any()
        if not rising:
            raise MalformedMessageError("offsets of a bag do not rise from 0 to the number of its values")
        return cls(values, offsets)


def stack_bags(parts: Sequence[tuple[int, IdBags | None]]) -> IdBags | None:
    """Stack bags of these numbers of rows, empty ones for those that are None; None where all are."""
    if all(bags is None for _, bags in parts):
        return None
    nothing = np.empty(0, dtype=np.uint64)
    return IdBags.concatenate(
        [IdBags.repeated(nothing, rows) if bags is None else bags for rows, bags in parts]
    )


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """The features of n (person, content, moment) triples.

    ids: one id per row and feature, uint64 [n] each; MISSING_KEY where there is none.
    bags: several ids per row and feature.
    dense: float32 [n, number of dense features], the person's, the moment's and the content's fixed ones.
    counters: float32 [n, number of counter features], or None in a replay: whoever trains adds them.
    """

    ids: Mapping[str, IdArray]
    bags: Mapping[str, IdBags]
    dense: FloatArray
    counters: FloatArray | None

    def __len__(self) -> int:
        return len(self.dense)

    def take(self, rows: IntArray) -> FeatureBatch:
        return FeatureBatch(
            ids={name: values[rows] for name, values in self.ids.items()},
            bags={name: bags.take(rows) for name, bags in self.bags.items()},
            dense=self.dense[rows],
            counters=None if self.counters is None else self.counters[rows],
        )

    def with_counters(self, counters: FloatArray) -> FeatureBatch:
        """Return the same features with the counter block filled in."""
        return FeatureBatch(self.ids, self.bags, self.dense, counters)

    @staticmethod
    def concatenate(parts: Sequence[FeatureBatch]) -> FeatureBatch:
        """Stack batches with the same feature names; counters must be there in all of them or in none."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        with_counters = [part.counters for part in parts if part.counters is not None]
        if with_counters and len(with_counters) != len(parts):
            raise ValueError("cannot stack features with and without counters")
        return FeatureBatch(
            ids={name: np.concatenate([part.ids[name] for part in parts]) for name in first.ids},
            bags={name: IdBags.concatenate([part.bags[name] for part in parts]) for name in first.bags},
            dense=np.concatenate([part.dense for part in parts]),
            counters=np.concatenate(with_counters) if with_counters else None,
        )

    def to_wire(self) -> dict[str, Any]:
        return {
            "ids": dict(self.ids),
            "bags": {name: bags.to_wire() for name, bags in self.bags.items()},
            "dense": self.dense,
            "counters": self.counters,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> FeatureBatch:
        batch = cls(
            ids=wire["ids"],
            bags={name: IdBags.from_wire(bags) for name, bags in wire["bags"].items()},
            dense=wire["dense"],
            counters=wire["counters"],
        )
        lengths = {len(batch)} | {len(v) for v in batch.ids.values()} | {len(b) for b in batch.bags.values()}
        if len(lengths) > 1 or (batch.counters is not None and len(batch.counters) != len(batch)):
            raise MalformedMessageError("features of one batch differ in length")
        return batch
