"""A learning rate that follows the progressive loss (specification, section 9.2), within bounds.

How to wire: one `AdaptiveRate` per model beside its `TrainingStep`; put `rate.scale` into
`Update.learning_rate_scale` of every update, then call `observe(result.loss, rows)` with the joined rows of
that batch. Losses are progressive (of rows before they are learned), so they are validation losses.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field


class AdaptiveRateSettings(BaseModel):
    """The specification's rule has no bounds and takes every wiggle for a change: halved at each of them, its
    rate would be gone within the hour. So losses are compared window by window, and only a rise that noise
    does not explain lowers the rate.

    window_rows: rows whose mean loss is one measurement. raise_factor, lower_factor: on a fall, on a rise.
    noise_factor: standard errors of the difference that count as noise. lowest, highest: of the scale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    window_rows: int = Field(default=8_192, ge=1)
    raise_factor: float = Field(default=1.05, ge=1)
    lower_factor: float = Field(default=0.5, gt=0, le=1)
    noise_factor: float = Field(default=3.0, ge=0)
    lowest: float = Field(default=0.25, gt=0, le=1)
    highest: float = Field(default=2.0, ge=1)


class AdaptiveRate:
    """scale: multiplies every optimizer's own rate, 1 at the start."""

    def __init__(self, settings: AdaptiveRateSettings) -> None:
        self._settings = settings
        self._window = _Window()
        self._previous: _Window | None = None
        self.scale = 1.0

    def observe(self, loss: float, rows: int) -> None:
        """Take in the mean loss of a batch of joined rows; one that is no number is not taken."""
        if not self._settings.enabled or rows <= 0 or not math.isfinite(loss):
            return
        self._window.add(loss, rows)
        if self._window.rows >= self._settings.window_rows:
            if self._previous is not None:
                self._adjust(self._window, self._previous)
            self._previous, self._window = self._window, _Window()

    def _adjust(self, now: _Window, before: _Window) -> None:
        settings = self._settings
        rise = now.mean - before.mean
        if rise < 0:
            factor = settings.raise_factor
        elif rise > settings.noise_factor * math.hypot(now.standard_error, before.standard_error):
            factor = settings.lower_factor
        else:
            return
        self.scale = min(max(self.scale * factor, settings.lowest), settings.highest)


class _Window:
    """Weighted mean of batch losses, and its standard error as their scatter tells it."""

    def __init__(self) -> None:
        self.rows = 0
        self.mean = 0.0
        self._scatter = 0.0
        self._batches = 0

    def add(self, loss: float, rows: int) -> None:
        self.rows += rows
        self._batches += 1
        distance = loss - self.mean
        self.mean += distance * rows / self.rows
        self._scatter += rows * distance * (loss - self.mean)

    @property
    def standard_error(self) -> float:
        """Infinite for a single batch, whose scatter nobody knows."""
        if self._batches < 2:
            return math.inf
        variance_per_row = self._scatter / (self._batches - 1)
        return math.sqrt(max(variance_per_row, 0.0) / self.rows)
