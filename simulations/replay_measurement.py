"""Progressive validation of a replay: every row is predicted before it is learned."""

from __future__ import annotations

import time

import numpy as np

from learners.label_weights import is_positive
from learners.training_step import StepResult
from messages.events import EVENT_TYPE_CODES, TERMINAL_EVENT_TYPES
from messages.examples import HEAD_INDEX, ExampleBatch
from monitoring.progressive_metrics import StreamingAuc
from simulations.replay_report import ReplayReport

_ENGAGE, _LONG_VIEW = HEAD_INDEX["engage"], HEAD_INDEX["long_view"]
_TERMINAL_CODES = [EVENT_TYPE_CODES[name] for name in TERMINAL_EVENT_TYPES]


class ReplayMeasurement:
    """Collects predictions and outcomes while a replay runs; the clock starts when it is made."""

    def __init__(self) -> None:
        self._aucs = {head: StreamingAuc() for head in (_ENGAGE, _LONG_VIEW)}
        self._num_examples = 0
        self._started = time.perf_counter()

    def learned(self, batch: ExampleBatch, result: StepResult | None) -> None:
        """Take in one mini-batch; its terminal events are the rows of the log, a like is none of its own."""
        self._num_examples += len(batch)
        if result is None or batch.joined is None:
            return
        terminal = np.isin(batch.event_types[batch.joined.rows], _TERMINAL_CODES)
        for head, auc in self._aucs.items():
            auc.add(result.probabilities[terminal, head], is_positive(batch.joined.labels[terminal, head]))

    def report(self, rows: int) -> ReplayReport:
        """rows: of the log, replayed so far."""
        seconds = time.perf_counter() - self._started
        return ReplayReport(
            rows=rows,
            examples=self._num_examples,
            auc_click=self._aucs[_ENGAGE].value(),
            auc_long_view=self._aucs[_LONG_VIEW].value(),
            rows_per_s=rows / seconds,
            seconds=seconds,
        )
