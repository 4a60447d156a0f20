"""AUC of click and long view over a run, as a whole and by tenth: what the experiments compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from learners.step_result import StepResult
from messages.examples import HEAD_INDEX
from monitoring.progressive_metrics import StreamingAuc

NUM_PARTS = 10
HEADS_COMPARED: dict[str, str] = {"click": "engage", "long_view": "long_view"}
"""Names in reports, and the heads they are."""


@dataclass(frozen=True, slots=True)
class AucCurve:
    """whole: by name of HEADS_COMPARED. settled: without the first tenth, in which all begins from nothing.
    parts: the same for each tenth of the batches, NaN where a tenth has rows of one class only."""

    whole: dict[str, float]
    settled: dict[str, float]
    parts: dict[str, list[float]]


class ProgressiveAuc:
    """Takes in what was said of each batch before it was learned."""

    def __init__(self, num_batches: int) -> None:
        self._num_batches = num_batches
        self._parts = {name: [StreamingAuc() for _ in range(NUM_PARTS)] for name in HEADS_COMPARED}

    def add(self, number: int, result: StepResult) -> None:
        """number: of the batch, from 0."""
        part = min(number * NUM_PARTS // self._num_batches, NUM_PARTS - 1)
        for name, head_name in HEADS_COMPARED.items():
            head = HEAD_INDEX[head_name]
            rows = result.trained[:, head]
            self._parts[name][part].add(result.probabilities[rows, head], result.targets[rows, head])

    def curve(self) -> AucCurve:
        return AucCurve(
            whole={name: _merged(parts) for name, parts in self._parts.items()},
            settled={name: _merged(parts[1:]) for name, parts in self._parts.items()},
            parts={name: [part.value() for part in parts] for name, parts in self._parts.items()},
        )


def _merged(parts: Sequence[StreamingAuc]) -> float:
    total = StreamingAuc()
    for part in parts:
        total.merge(part)
    return total.value()
