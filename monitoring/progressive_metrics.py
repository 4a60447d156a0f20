"""How good the model's last answers were: every row is scored before it is learned, so all of it validates.

("Progressive validation": Blum, Kalai and Langford, COLT 1999.) Bounded memory, one pass, mergeable.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from messages.arrays import BoolArray, DoubleArray, FloatArray, IntArray

_CLIP = 1e-7
"""A probability of 0 or 1 that is wrong would cost infinitely much."""


class StreamingAuc:
    """Area under the ROC curve from two histograms of scores.

    Scores that share a bin count as equal, so the error is at most half the chance that a positive and a
    negative do.
    """

    def __init__(self, num_bins: int = 1 << 14) -> None:
        self._positives: IntArray = np.zeros(num_bins, dtype=np.int64)
        self._negatives: IntArray = np.zeros(num_bins, dtype=np.int64)

    def add(self, scores: FloatArray, labels: BoolArray) -> None:
        """Count n rows. scores: [n] in [0, 1]. labels: bool [n]."""
        num_bins = len(self._positives)
        bins = np.clip((np.asarray(scores, dtype=np.float64) * num_bins).astype(np.int64), 0, num_bins - 1)
        positive = np.asarray(labels, dtype=np.bool_)
        self._positives += np.bincount(bins[positive], minlength=num_bins)
        self._negatives += np.bincount(bins[~positive], minlength=num_bins)

    def merge(self, other: StreamingAuc) -> None:
        """Count what another, with as many bins, has counted."""
        self._positives += other._positives
        self._negatives += other._negatives

    @property
    def num_rows(self) -> int:
        return int(self._positives.sum() + self._negatives.sum())

    def value(self) -> float:
        """Return the area, NaN where one of the classes has not been seen."""
        positives, negatives = int(self._positives.sum()), int(self._negatives.sum())
        if positives == 0 or negatives == 0:
            return float("nan")
        below = np.cumsum(self._negatives) - self._negatives
        pairs = np.dot(self._positives.astype(np.float64), below + self._negatives / 2)
        return float(pairs / positives / negatives)


class ProgressiveLoss:
    """Mean log loss (nats) of the last `window` rows, cut at batches, and of all rows so far."""

    def __init__(self, window: int = 10_000) -> None:
        self._window = window
        self._batches: deque[tuple[int, float]] = deque()
        self._window_rows = 0
        self._total_rows = 0
        self._total_sum = 0.0

    def add(self, probabilities: FloatArray, labels: BoolArray) -> None:
        """Count n rows. probabilities: [n]. labels: bool [n]."""
        if len(labels) == 0:
            return
        p = np.clip(np.asarray(probabilities, dtype=np.float64), _CLIP, 1 - _CLIP)
        loss = float(-np.where(labels, np.log(p), np.log1p(-p)).sum())
        self._batches.append((len(labels), loss))
        self._window_rows += len(labels)
        self._total_rows += len(labels)
        self._total_sum += loss
        while self._window_rows - self._batches[0][0] >= self._window:
            self._window_rows -= self._batches.popleft()[0]

    def value(self) -> float:
        """Return the mean over the newest batches that together hold at least `window` rows; NaN at first."""
        if not self._window_rows:
            return float("nan")
        return sum(loss for _, loss in self._batches) / self._window_rows

    def overall(self) -> float:
        """Return the mean over all rows so far; NaN before the first."""
        return self._total_sum / self._total_rows if self._total_rows else float("nan")


class Calibration:
    """Mean predicted over mean observed: 1 is honest, 2 promises twice what happens. Old rows fade.

    half_life: rows after which a row counts half, so that it shows how the model is now.
    """

    def __init__(self, half_life: float = 50_000) -> None:
        self._half_life = half_life
        self._predicted = 0.0
        self._observed = 0.0
        self._rows = 0.0

    def add(self, probabilities: FloatArray, labels: BoolArray | FloatArray) -> None:
        """Count n rows, those of one batch alike. probabilities: [n]. labels: bool [n]; or amounts both."""
        fade = 0.5 ** (len(labels) / self._half_life)
        self._predicted = self._predicted * fade + float(np.sum(probabilities, dtype=np.float64))
        self._observed = self._observed * fade + float(np.sum(labels))
        self._rows = self._rows * fade + len(labels)

    def value(self) -> float:
        """Return the ratio, NaN where nothing positive has been observed."""
        return self._predicted / self._observed if self._observed > 0 else float("nan")

    def mean_predicted(self) -> float:
        return self._predicted / self._rows if self._rows else float("nan")

    def mean_observed(self) -> float:
        return self._observed / self._rows if self._rows else float("nan")


class QuantileWindow:
    """Exact quantiles of the last `window` values: how fresh, how slow, how large."""

    def __init__(self, window: int = 4_096) -> None:
        self._values: DoubleArray = np.zeros(window, dtype=np.float64)
        self._count = 0

    def add(self, values: float | DoubleArray) -> None:
        """Remember one value or several, oldest first. Raises ValueError for one that is not finite."""
        incoming = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if not np.isfinite(incoming).all():
            raise ValueError("a quantile of values that are not finite says nothing")
        window = len(self._values)
        newest = incoming[-window:]
        start = self._count + len(incoming) - len(newest)
        self._values[(start + np.arange(len(newest))) % window] = newest
        self._count += len(incoming)

    def __len__(self) -> int:
        return min(self._count, len(self._values))

    def quantile(self, q: float) -> float:
        """Return the q-quantile, q in [0, 1], linearly between values; NaN before the first."""
        if self._count == 0:
            return float("nan")
        return float(np.quantile(self._values[: len(self)], q))

    def quantiles(self, *qs: float) -> list[float]:
        return [self.quantile(q) for q in qs]
