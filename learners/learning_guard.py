"""Watches the progressive loss of one model: what is not learned, how fast, and when people have changed."""

from __future__ import annotations

import logging

from pydantic import BaseModel, ConfigDict

from learners.adaptive_rate import AdaptiveRate, AdaptiveRateSettings
from learners.drift_detector import DriftDetector, DriftSettings
from learners.quarantine import Quarantine, QuarantineSettings, Verdict

logger = logging.getLogger(__name__)


class LearningGuardSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    quarantine: QuarantineSettings = QuarantineSettings()
    adaptive_rate: AdaptiveRateSettings = AdaptiveRateSettings()
    drift: DriftSettings = DriftSettings()


class LearningGuard:
    """One per model. For each batch: `judge` before the push; `learned` after, where it was kept.

    A quarantined batch counts neither for the rate nor for drift.
    """

    def __init__(self, settings: LearningGuardSettings) -> None:
        self._quarantine = Quarantine(settings.quarantine)
        self._rate = AdaptiveRate(settings.adaptive_rate)
        self._drift = DriftDetector(settings.drift)

    @property
    def learning_rate_scale(self) -> float:
        """What multiplies every optimizer's rate in the next update."""
        return self._rate.scale

    def judge(self, loss: float, rows: int) -> Verdict:
        """Decide on a batch by its mean loss over `rows` joined rows."""
        return self._quarantine.judge(loss, rows)

    def refused(self, reason: str, rows: int) -> Verdict:
        """Count a batch that brought no loss at all."""
        return self._quarantine.refused(reason, rows)

    def learned(self, loss: float, rows: int, time: float) -> None:
        """Take in the loss of a batch that was pushed; time: epoch seconds of its newest row."""
        self._rate.observe(loss, rows)
        drift = self._drift.observe(loss, rows, time)
        if drift is not None:
            logger.warning("the loss has risen from %.4g to %.4g", drift.loss_before, drift.loss_now)

    def report(self) -> dict[str, float]:
        """Return what a status tells."""
        return {
            "learning_rate_scale": self._rate.scale,
            "quarantined_batches": self._quarantine.num_batches,
            "quarantined_examples": self._quarantine.num_rows,
            "drifts": self._drift.num_drifts,
        }
