import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.label_weights import is_positive, is_trained, label_weights
from messages.examples import LabelKind


def weight(kind: LabelKind, p: float) -> float:
    return float(label_weights(np.array([[kind]], np.uint8), np.array([[p]], np.float32))[0, 0])


def test_kinds_weigh_as_the_paper_says() -> None:
    assert weight(LabelKind.UNTRAINED, 0.3) == 0
    assert weight(LabelKind.OBSERVED_POSITIVE, 0.3) == weight(LabelKind.OBSERVED_NEGATIVE, 0.3) == 1
    assert weight(LabelKind.LATE_POSITIVE, 0.3) == pytest.approx(1.3)
    assert weight(LabelKind.PROVISIONAL_NEGATIVE, 0.3) == pytest.approx(1 - 0.09)
    assert weight(LabelKind.EARLY_POSITIVE, 0.3) == pytest.approx(1 - 0.09)


@given(early=st.floats(0.0, 0.4), late=st.floats(0.0, 0.4))
def test_the_gradient_vanishes_at_the_true_rate_for_any_share_of_late_ones(early: float, late: float) -> None:
    """Of all rows `early` bring a positive before the end, `late` after it, as a second row."""
    p = early + late
    positive = early * weight(LabelKind.EARLY_POSITIVE, p) + late * weight(LabelKind.LATE_POSITIVE, p)
    negative = (1 - early) * weight(LabelKind.PROVISIONAL_NEGATIVE, p)
    # The gradient of binary cross-entropy by the logit is p - y.
    assert negative * p - positive * (1 - p) == pytest.approx(0, abs=1e-6)


def test_which_labels_are_ones_and_which_say_anything() -> None:
    labels = np.array(list(LabelKind), np.uint8)
    assert is_positive(labels).tolist() == [False, False, True, False, True, True]
    assert is_trained(labels).tolist() == [False, True, True, True, True, True]
