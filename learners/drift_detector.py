"""Notices that the progressive loss has begun to rise: people, contents or the pipeline have changed.

Page's test in the form of Hinkley (Biometrika 1954, 1971): sum how far each loss lies above the mean so far,
less an allowance; where the sum stands far above its lowest point, the mean has shifted.

How to wire: one per model; call `observe(result.loss, rows, now)` after each batch; a `Drift` that comes back
is an event to log, count and alert on. It says so once and starts anew, on the new level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class DriftSettings(BaseModel):
    """min_rows: before them nothing is said. allowance: a rise that is none, in standard deviations of one
    row's loss. threshold: the summed rise that is one, in rows times such deviations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_rows: int = Field(default=5_000, ge=1)
    allowance: float = Field(default=0.05, ge=0)
    threshold: float = Field(default=500.0, gt=0)


@dataclass(frozen=True, slots=True)
class Drift:
    """loss_before: mean since the last drift. loss_now: of the batch that decided. rows: since the last
    drift. time: as given, epoch seconds."""

    loss_before: float
    loss_now: float
    rows: int
    time: float


class DriftDetector:
    """Constant memory. Batches may be of any size: a sum over rows does not depend on how they are cut, but
    for the wait until the batch is full."""

    def __init__(self, settings: DriftSettings) -> None:
        self._settings = settings
        self.num_drifts = 0
        self._start()

    def _start(self) -> None:
        self._rows = 0
        self._batches = 0
        self._mean = 0.0
        self._scatter = 0.0
        self._sum = 0.0
        self._lowest = 0.0

    def observe(self, loss: float, rows: int, time: float) -> Drift | None:
        """Take in the mean loss of a batch; say if this is where it becomes plain that losses have risen."""
        if rows <= 0 or not math.isfinite(loss):
            return None
        drift = None
        if self._rows >= self._settings.min_rows and self._batches > 1:
            deviation = math.sqrt(max(self._scatter / (self._batches - 1), 1e-12))
            self._sum += rows * ((loss - self._mean) / deviation - self._settings.allowance)
            self._lowest = min(self._lowest, self._sum)
            if self._sum - self._lowest > self._settings.threshold:
                drift = Drift(self._mean, loss, self._rows, time)
        if drift is not None:
            self.num_drifts += 1
            self._start()
        self._rows += rows
        self._batches += 1
        distance = loss - self._mean
        self._mean += distance * rows / self._rows
        self._scatter += rows * distance * (loss - self._mean)
        return drift
