"""How much each label counts in the loss, given that truth may arrive late.

A row whose engagement has not come yet is trained as 0 and, where it does come, once more as 1. Ktena et al.
(arXiv 1907.06558, "fake negative weighted") correct the gradient by weights that depend on the prediction p,
taken as a constant: late positives 1 + p, provisional negatives 1 - p². Positives that came before the
terminal event have no fake negative against them and weigh 1 - p²: then, for any share of early and late
ones, positive stands to negative weight as the true rate to its complement.
"""

from __future__ import annotations

import numpy as np

from messages.arrays import BoolArray, ByteArray, FloatArray
from messages.examples import LabelKind

_COEFFICIENTS = np.zeros((len(LabelKind), 3), dtype=np.float32)
"""Per kind: the weight is c0 + c1 p + c2 p²."""
_COEFFICIENTS[LabelKind.OBSERVED_NEGATIVE] = (1, 0, 0)
_COEFFICIENTS[LabelKind.OBSERVED_POSITIVE] = (1, 0, 0)
_COEFFICIENTS[LabelKind.PROVISIONAL_NEGATIVE] = (1, 0, -1)
_COEFFICIENTS[LabelKind.EARLY_POSITIVE] = (1, 0, -1)
_COEFFICIENTS[LabelKind.LATE_POSITIVE] = (1, 1, 0)

_POSITIVE = np.zeros(len(LabelKind), dtype=np.bool_)
_POSITIVE[[LabelKind.OBSERVED_POSITIVE, LabelKind.EARLY_POSITIVE, LabelKind.LATE_POSITIVE]] = True


def is_positive(labels: ByteArray) -> BoolArray:
    """Say which labels are ones, same shape."""
    positive: BoolArray = _POSITIVE[labels]
    return positive


def is_trained(labels: ByteArray) -> BoolArray:
    """Say which labels say anything, same shape."""
    trained: BoolArray = labels != LabelKind.UNTRAINED
    return trained


def label_weights(labels: ByteArray, probabilities: FloatArray) -> FloatArray:
    """Return the weight of each label, float32, same shape; 0 where untrained. probabilities: predicted."""
    coefficients = _COEFFICIENTS[labels]
    weights: FloatArray = (
        coefficients[..., 0]
        + coefficients[..., 1] * probabilities
        + coefficients[..., 2] * probabilities * probabilities
    )
    return weights
