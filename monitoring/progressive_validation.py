"""How good the model is now: per head, per segment of rows, over a window, from rows scored before learning.

("Progressive validation": Blum, Kalai and Langford, COLT 1999.) All heads in one table of sums, so that a
mini-batch costs a few dozen small numpy calls whatever their number is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from messages.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from monitoring.progressive_metrics import Calibration

_CLIP = 1e-7
_NUM_BINS = 4_096
_NAN = float("nan")

EVERYTHING = "all"
"""The segment of all rows."""


class ValidationSums:
    """Counted rows of h heads. Merging adds; values are of everything that was added."""

    def __init__(self, num_heads: int) -> None:
        self._histograms: IntArray = np.zeros((2, num_heads, _NUM_BINS), dtype=np.int64)
        """Of scores, without and with the engagement."""
        self._sums: DoubleArray = np.zeros((2, num_heads), dtype=np.float64)
        """Of predicted probabilities and of log losses (nats)."""

    def add(self, cells: IntArray, sums: DoubleArray) -> None:
        """cells: places in the flattened histograms, one per trained label. sums: float64 [2, h]."""
        np.add.at(self._histograms.reshape(-1), cells, 1)
        self._sums += sums

    def merge(self, other: ValidationSums) -> None:
        self._histograms += other._histograms
        self._sums += other._sums

    def report(self, head: int) -> dict[str, float]:
        """Return rows, auc, log_loss (nats), calibration (mean predicted over mean observed) and
        normalized_entropy (log loss over that of the base rate: He et al., ADKDD 2014); NaN where undefined.
        """
        negatives, positives = self._histograms[:, head]
        num_negatives, num_positives = int(negatives.sum()), int(positives.sum())
        rows = num_negatives + num_positives
        predicted, loss = (float(value) for value in self._sums[:, head])
        if rows == 0:
            return {"rows": 0} | dict.fromkeys(("auc", "log_loss", "calibration", "normalized_entropy"), _NAN)
        auc, normalized = _NAN, _NAN
        if num_positives and num_negatives:
            below = np.cumsum(negatives) - negatives
            auc = float(np.dot(positives, below + negatives / 2)) / num_positives / num_negatives
            rate = num_positives / rows
            normalized = loss / rows / float(-rate * np.log(rate) - (1 - rate) * np.log1p(-rate))
        return {
            "rows": rows,
            "auc": auc,
            "log_loss": loss / rows,
            "calibration": predicted / num_positives if num_positives else _NAN,
            "normalized_entropy": normalized,
        }


class _Window:
    """The newest `window` rows to twice as many: two halves, the older one dropped when the newer is full."""

    def __init__(self, num_heads: int, window: int) -> None:
        self._num_heads = num_heads
        self._window = window
        self._newer, self._older = ValidationSums(num_heads), ValidationSums(num_heads)
        self._rows = 0

    def add(self, num_rows: int, cells: IntArray, sums: DoubleArray) -> None:
        if self._rows >= self._window:
            self._newer, self._older, self._rows = ValidationSums(self._num_heads), self._newer, 0
        self._newer.add(cells, sums)
        self._rows += num_rows

    def total(self) -> ValidationSums:
        total = ValidationSums(self._num_heads)
        total.merge(self._older)
        total.merge(self._newer)
        return total


class SecondsError:
    """Predicted against watched seconds. Old rows fade: `half_life` rows later a row counts half."""

    def __init__(self, half_life: float = 50_000) -> None:
        self._half_life = half_life
        self._ratio = Calibration(half_life)
        self._errors = 0.0
        self._rows = 0.0

    def add(self, predicted: FloatArray, watched: FloatArray) -> None:
        """Count n rows, those with watched NaN left out. float32 [n] each."""
        known = np.isfinite(watched)
        predicted, watched = predicted[known], watched[known]
        fade = 0.5 ** (len(watched) / self._half_life)
        self._ratio.add(predicted, watched)
        self._errors = self._errors * fade + float(np.abs(predicted - watched).sum(dtype=np.float64))
        self._rows = self._rows * fade + len(watched)

    def report(self) -> dict[str, float]:
        """Return mean_absolute_error, mean_predicted and mean_observed in seconds, and their ratio as
        calibration; NaN before the first row."""
        return {
            "mean_absolute_error": self._errors / self._rows if self._rows else _NAN,
            "mean_predicted": self._ratio.mean_predicted(),
            "mean_observed": self._ratio.mean_observed(),
            "calibration": self._ratio.value(),
        }


class ProgressiveValidation:
    """heads: their names, in the order of the columns. window: rows of a segment that a report is about."""

    def __init__(self, heads: Sequence[str], *, window: int = 20_000) -> None:
        self._heads = list(heads)
        self._window = window
        self._segments: dict[str, _Window] = {}
        self._watch_time = SecondsError()

    def add(
        self,
        probabilities: FloatArray,
        targets: BoolArray,
        trained: BoolArray,
        segments: Mapping[str, BoolArray],
    ) -> None:
        """Count k rows. probabilities: float32 [k, h], of before they were learned. targets, trained: bool
        [k, h]. segments: which rows belong to each, bool [k]."""
        p = probabilities.astype(np.float64)
        bounded = np.clip(p, _CLIP, 1 - _CLIP)
        losses = -np.log(np.where(targets, bounded, 1 - bounded))
        bins = np.minimum((bounded * _NUM_BINS).astype(np.int64), _NUM_BINS - 1)
        num_heads = len(self._heads)
        cells = (targets * num_heads + np.arange(num_heads)) * _NUM_BINS + bins
        for name, rows in ({EVERYTHING: np.ones(len(p), np.bool_)} | dict(segments)).items():
            counted = trained & rows[:, None]
            if not counted.any():
                continue
            sums = np.stack([np.where(counted, p, 0).sum(axis=0), np.where(counted, losses, 0).sum(axis=0)])
            window = self._segments.setdefault(name, _Window(num_heads, self._window))
            window.add(int(rows.sum()), cells[counted], sums)

    def add_watch_times(self, expected: FloatArray, watched: FloatArray) -> None:
        """Count watch times, seconds, float32 [k]; watched is NaN where a row says nothing."""
        self._watch_time.add(expected, watched)

    def report(self) -> dict[str, dict[str, dict[str, float]] | dict[str, float]]:
        """Return segment -> head -> values over the window, and under `watch_time` those of the seconds."""
        answer: dict[str, dict[str, dict[str, float]] | dict[str, float]] = {}
        for name, window in sorted(self._segments.items()):
            total = window.total()
            answer[name] = {head: total.report(column) for column, head in enumerate(self._heads)}
        answer["watch_time"] = self._watch_time.report()
        return answer
