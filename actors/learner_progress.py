"""What a learner tells of itself: how much it has learned, and how good its predictions were."""

from __future__ import annotations

import math
import time
from typing import Any

from learners.step_result import StepResult
from messages.examples import HEADS, ExampleBatch
from monitoring.progressive_metrics import Calibration, StreamingAuc
from monitoring.progressive_validation import ProgressiveValidation


class LearnerProgress:
    """Progressive validation: what the model said of each row before it learned it."""

    def __init__(self) -> None:
        self._auc = {name: StreamingAuc() for name in HEADS}
        self._calibration = {name: Calibration(math.inf) for name in HEADS}
        self._validation = ProgressiveValidation(HEADS)
        self._num_examples = 0
        self._num_batches = 0
        self._started = time.monotonic()
        self._last_loss = float("nan")

    def learned(self, batch: ExampleBatch, result: StepResult | None) -> None:
        """Count a batch that was pushed; result: None where nothing was trained."""
        self._num_examples += len(batch)
        self._num_batches += 1
        if result is None or not len(result.probabilities):
            return
        self._last_loss = result.loss
        for head, name in enumerate(HEADS):
            rows = result.trained[:, head]
            if rows.any():
                probabilities, targets = result.probabilities[rows, head], result.targets[rows, head]
                self._auc[name].add(probabilities, targets)
                self._calibration[name].add(probabilities, targets)
        self._validation.add(result.probabilities, result.targets, result.trained, result.segments)
        self._validation.add_watch_times(result.expected_seconds, result.watched_seconds)

    def report(self) -> dict[str, Any]:
        """auc, calibration: of each head, over all rows so far. validation: by segment and head, over the
        newest rows."""
        elapsed = time.monotonic() - self._started
        return {
            "examples": self._num_examples,
            "batches": self._num_batches,
            "examples_per_s": self._num_examples / elapsed if elapsed else 0.0,
            "loss": self._last_loss,
            "auc": {name: auc.value() for name, auc in self._auc.items()},
            "calibration": {name: calibration.value() for name, calibration in self._calibration.items()},
            "validation": self._validation.report(),
        }
