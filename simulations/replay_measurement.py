"""Progressive validation of a replay: every row is predicted before it is learned."""

from __future__ import annotations

import math
import time

from learners.step_result import StepResult
from messages.examples import HEAD_INDEX, ExampleBatch
from monitoring.progressive_metrics import Calibration, StreamingAuc
from simulations.replay_report import ReplayReport

_ENGAGE, _LONG_VIEW = HEAD_INDEX["engage"], HEAD_INDEX["long_view"]


class ReplayMeasurement:
    """Collects predictions and outcomes while a replay runs; the clock starts when it is made."""

    def __init__(self) -> None:
        self._aucs = {head: StreamingAuc() for head in (_ENGAGE, _LONG_VIEW)}
        self._calibrations = {head: Calibration(math.inf) for head in self._aucs}
        self._num_examples = 0
        self._started = time.perf_counter()

    def learned(self, batch: ExampleBatch, result: StepResult | None) -> None:
        """Take in one mini-batch; only terminal events, the rows of the log, say anything of these heads."""
        self._num_examples += len(batch)
        if result is None:
            return
        for head, auc in self._aucs.items():
            rows = result.trained[:, head]
            auc.add(result.probabilities[rows, head], result.targets[rows, head])
            self._calibrations[head].add(result.probabilities[rows, head], result.targets[rows, head])

    def report(self, rows: int) -> ReplayReport:
        """rows: of the log, replayed so far."""
        seconds = time.perf_counter() - self._started
        return ReplayReport(
            rows=rows,
            examples=self._num_examples,
            auc_click=self._aucs[_ENGAGE].value(),
            auc_long_view=self._aucs[_LONG_VIEW].value(),
            calibration_click=self._calibrations[_ENGAGE].value(),
            calibration_long_view=self._calibrations[_LONG_VIEW].value(),
            rows_per_s=rows / seconds,
            seconds=seconds,
        )
