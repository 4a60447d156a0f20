"""Which batches are not learned from: a stream may turn bad, and a model forgets nothing it was taught.

How to wire: one `Quarantine` per model. Call `judge(result.loss, rows)` after `TrainingStep.run` and before
the push (a NonFiniteLossError goes to `refused`). Where the verdict is to quarantine: record the spans with
the reason first, then push the same spans empty, and give the loss to neither drift detector nor rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class QuarantineSettings(BaseModel):
    """A batch is a spike if its mean loss is over `spike_factor` times the usual one and `spike_deviations`
    standard deviations above it, as wide as batches of its size scatter.

    warm_up_rows: before them only what is no number is refused. memory_rows: of the usual loss, which fades.
    max_consecutive: after so many in a row the stream has changed rather than gone bad: learning goes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    warm_up_rows: int = Field(default=5_000, ge=1)
    memory_rows: int = Field(default=50_000, ge=1)
    spike_factor: float = Field(default=3.0, ge=1)
    spike_deviations: float = Field(default=8.0, gt=0)
    max_consecutive: int = Field(default=20, ge=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """reason: "" where the batch is kept."""

    keep: bool
    reason: str = ""


KEEP = Verdict(True)


class Quarantine:
    """num_batches, num_rows: quarantined so far."""

    def __init__(self, settings: QuarantineSettings) -> None:
        self._settings = settings
        self.num_batches = 0
        self.num_rows = 0
        self._rows = 0
        self._mean = 0.0
        self._variance = 0.0
        self._consecutive = 0

    def judge(self, loss: float, rows: int) -> Verdict:
        """Decide on a batch by its mean loss over `rows` joined rows; one without rows is kept."""
        if rows <= 0:
            return KEEP
        if not math.isfinite(loss):
            return self.refused(f"the loss is {loss}", rows)
        if reason := self._spike(loss, rows):
            if self._consecutive < self._settings.max_consecutive:
                self._consecutive += 1
                return self.refused(reason, rows)
            self._rows, self._mean, self._variance = 0, 0.0, 0.0  # a new usual
        self._consecutive = 0
        self._learn_usual(loss, rows)
        return KEEP

    def refused(self, reason: str, rows: int) -> Verdict:
        """Count a batch that is not to be learned from."""
        self.num_batches += 1
        self.num_rows += rows
        return Verdict(False, reason)

    def _spike(self, loss: float, rows: int) -> str:
        settings = self._settings
        if not settings.enabled or self._rows < settings.warm_up_rows:
            return ""
        limit = max(
            settings.spike_factor * self._mean,
            self._mean + settings.spike_deviations * math.sqrt(self._variance / rows),
        )
        return f"loss {loss:.4g} over {rows} rows; usual {self._mean:.4g}, limit {limit:.4g}" * (loss > limit)

    def _learn_usual(self, loss: float, rows: int) -> None:
        """Move mean and the variance of one row's loss (a batch mean scatters by variance / rows)."""
        self._rows += rows
        weight = min(1.0, rows / min(self._rows, self._settings.memory_rows))
        distance = loss - self._mean
        self._mean += weight * distance
        self._variance += weight * (rows * distance * (loss - self._mean) - self._variance)
