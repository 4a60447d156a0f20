"""What one training step gives: gradients to push, and predictions to measure."""

from __future__ import annotations

from dataclasses import dataclass, field

from messages.arrays import BoolArray, FloatArray
from messages.updates import RowGradients, Rows


class NonFiniteLossError(ArithmeticError):
    """The loss or a gradient of this batch is no number: nothing of it may be pushed."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What to push and what to measure.

    rows, births: per slot. dense: gradients by name of weight. probabilities: float32 [k, heads], predicted
    before anything is learned from these rows. loss: mean per joined row, 0 where there is none. trained,
    targets: bool [k, heads], which labels say anything, and which of them are ones. expected_seconds:
    float32 [k], predicted watch times; watched_seconds: what came, NaN where that says nothing. segments:
    which rows belong to each, bool [k]. statistics: what the rows add to those of `online_scaling.py`.
    """

    rows: dict[str, RowGradients]
    births: dict[str, Rows]
    dense: dict[str, FloatArray]
    probabilities: FloatArray
    loss: float
    trained: BoolArray
    targets: BoolArray
    expected_seconds: FloatArray
    watched_seconds: FloatArray
    segments: dict[str, BoolArray]
    statistics: dict[str, FloatArray] = field(default_factory=dict)
