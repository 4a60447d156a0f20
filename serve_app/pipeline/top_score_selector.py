"""The highest scores first, with a bound on each creator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import DoubleArray, IntArray
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.creator_cap import CreatorCap

_SIGN, _LAST, _BYTE = np.uint64(1 << 63), np.uint64(2**64 - 1), np.uint64(255)


class SlateSettings(BaseModel):
    """max_per_creator: in one slate, 0 for no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_per_creator: int = Field(2, ge=0)


class TopScoreSelector:
    """Greedy by score. NaN comes last; ties keep the candidates' order."""

    name = "top_score"

    def __init__(self, settings: SlateSettings) -> None:
        self._max_per_creator = settings.max_per_creator

    def select(self, scored: ScoredCandidates, count: int) -> IntArray:
        order = by_falling_score(scored.scores)
        if not self._max_per_creator:
            return order[:count]
        cap = CreatorCap(scored.candidates.creator_keys, self._max_per_creator)
        chosen = np.empty(min(count, len(order)), dtype=np.int64)
        cap.follow(order, chosen, np.empty_like(chosen))
        return chosen


def by_falling_score(scores: DoubleArray) -> IntArray:
    """Return positions by falling score, NaN last, ties in order, int64 [n]."""
    order: IntArray = _by_falling_score(scores)
    return order


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _by_falling_score(scores: Any) -> Any:
    """Radix sort, a byte at a time from the lowest: a third of the time of comparing, which the processor
    guesses wrong half the time."""
    bits = (0.0 - scores).view(np.uint64)  # 0 comes first, so that -0.0 ties with 0.0
    counts = np.zeros((8, 256), dtype=np.int64)  # of each value of each byte
    for index in range(len(bits)):
        if np.isnan(scores[index]):
            bits[index] = _LAST
        elif bits[index] & _SIGN:  # numbers in the order of their bits: those below 0 turned around,
            bits[index] = ~bits[index]
        else:  # and put before the others
            bits[index] |= _SIGN
        for byte in range(8):
            counts[byte, (bits[index] >> np.uint64(8 * byte)) & _BYTE] += 1
    order, sorted_before = np.arange(len(bits)), np.empty(len(bits), dtype=np.int64)
    for byte in range(8):
        if counts[byte].max() == len(bits):
            continue  # it is the same in all
        order, sorted_before = sorted_before, order
        places = np.cumsum(counts[byte]) - counts[byte]  # of the next of each value
        for position in sorted_before:
            value = (bits[position] >> np.uint64(8 * byte)) & _BYTE
            order[places[value]] = position
            places[value] += 1
    return order
