"""Groups of rows whose quality is worth knowing apart: good on average may be bad for newcomers."""

from __future__ import annotations

import numpy as np

from learners.features.schema import DENSE_FEATURES
from messages.arrays import BoolArray
from messages.features import FeatureBatch

_LOG_TERMINALS = DENSE_FEATURES.index("log_terminals")
_LOG_AGE = DENSE_FEATURES.index("log_age")

NEWCOMER_WATCHINGS = 10.0
FRESH_HOURS = 24.0
_NEWCOMER = np.float32(np.log1p(NEWCOMER_WATCHINGS) / 4)
_FRESH = np.float32(np.log1p(FRESH_HOURS) / 6)


def segments_of(features: FeatureBatch) -> dict[str, BoolArray]:
    """Say which rows belong to each segment, bool [k]: people of whom few watchings are known or many, and
    contents of the last day or older. A row belongs to one of each pair."""
    newcomers = features.dense[:, _LOG_TERMINALS] < _NEWCOMER
    fresh = features.dense[:, _LOG_AGE] < _FRESH
    return {
        "newcomers": newcomers,
        "regulars": ~newcomers,
        "fresh_contents": fresh,
        "older_contents": ~fresh,
    }
