"""Engagement under each feed over time, and which events are learned."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from messages.arrays import DoubleArray


@dataclass(frozen=True, slots=True)
class EngagementSeries:
    """One arm over time, in b bins.

    times: seconds since the start, middle of each bin, float64 [b]. shares: viewed of shown, NaN where none
    were shown, float64 [b]. errors: their binomial standard errors, float64 [b].
    """

    times: DoubleArray
    shares: DoubleArray
    errors: DoubleArray


class EngagementTracker:
    """Counts, for each arm, the impressions that were viewed; the time is seconds since the start."""

    def __init__(self, bin_seconds: float = 1.0) -> None:
        self._bin_seconds = bin_seconds
        self._shown: dict[str, list[int]] = {}
        self._viewed: dict[str, list[int]] = {}

    @property
    def arms(self) -> list[str]:
        return list(self._shown)

    def add(self, arm: str, time: float, num_viewed: int, num_shown: int) -> None:
        """Take in one slate."""
        place = int(time / self._bin_seconds)
        for counts, number in (
            (self._shown.setdefault(arm, []), num_shown),
            (self._viewed.setdefault(arm, []), num_viewed),
        ):
            counts.extend([0] * (place + 1 - len(counts)))
            counts[place] += number

    def engagement(self, arm: str, since: float = 0.0, until: float = np.inf) -> float:
        """Return the share of impressions viewed from `since` to `until`, NaN where there were none.

        Both fall on the border of a bin.
        """
        first = int(since / self._bin_seconds)
        last = None if np.isinf(until) else int(until / self._bin_seconds)
        shown = sum(self._shown.get(arm, [])[first:last])
        return sum(self._viewed.get(arm, [])[first:last]) / shown if shown else float("nan")

    def num_shown(self, arm: str) -> int:
        return sum(self._shown.get(arm, []))

    def series(self, arm: str, num_bins: int = 24) -> EngagementSeries:
        """Return the whole run of one arm in about `num_bins` bins of equal length."""
        shown, viewed = np.array(self._shown[arm]), np.array(self._viewed[arm])
        width = max(1, -(-len(shown) // num_bins))
        starts = np.arange(0, len(shown), width)
        totals = np.add.reduceat(shown, starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.add.reduceat(viewed, starts) / totals
            errors = np.sqrt(shares * (1.0 - shares) / totals)
        ends = np.minimum(starts + width, len(shown))
        return EngagementSeries((starts + ends) / 2 * self._bin_seconds, shares, errors)


class LearnedLedger:
    """Which of the accepted events are in the model that serves."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        self.num_events = 0
        self.num_learned = 0

    @property
    def num_waiting(self) -> int:
        return self.num_events - self.num_learned

    def accepted(self, partition: int, position: int, num_events: int) -> None:
        """Events of one person were acknowledged, the last of them at this FEED position."""
        heapq.heappush(self._waiting.setdefault(partition, []), (position, num_events))
        self.num_events += num_events

    def learned(self, positions: Mapping[int, int]) -> None:
        """The model has learned each partition up to this FEED position."""
        for partition, position in positions.items():
            waiting = self._waiting.get(partition)
            while waiting and waiting[0][0] <= position:
                self.num_learned += heapq.heappop(waiting)[1]
