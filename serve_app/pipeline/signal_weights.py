"""The one table of what each signal is worth, changed while the replica serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import njit

from messages.arrays import DoubleArray
from messages.examples import OUTPUTS
from messages.updates import COUNTER_TOTAL_INDEX
from serve_app.pipeline.candidate import ScoredCandidates

RATE_SIGNALS: dict[str, str] = {
    "replay_rate": "replays",
    "skip_rate": "skips",
    "hide_rate": "hides",
    "report_rate": "reports",
}
"""Signals without a head of their own: how often everybody answers so to a content, by its counters."""

SIGNALS: tuple[str, ...] = (*OUTPUTS, *RATE_SIGNALS)
"""What a weight can be given to: the heads (what this person will do, predicted; of the watch time the share
of it and one unit, see `learners/watch_time.py`), then the rates."""

MAX_WEIGHT = 1_000.0
_PRIOR_WATCHINGS = 20.0
_VIEWS, _SKIPS = COUNTER_TOTAL_INDEX["views"], COUNTER_TOTAL_INDEX["skips"]


class SignalWeightsError(ValueError):
    """A table of weights is wrong; `field` names the signal and the text says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def checked_weights(raw: Mapping[str, Any]) -> dict[str, float]:
    """Return signal -> weight. Raises SignalWeightsError for the first signal that is wrong."""
    table: dict[str, float] = {}
    for name, weight in raw.items():
        if name not in SIGNALS:
            raise SignalWeightsError(str(name), f"there is no such signal; there are {', '.join(SIGNALS)}")
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not -MAX_WEIGHT <= weight <= MAX_WEIGHT:  # NaN is not between them either
            raise SignalWeightsError(name, f"must be a number between {-MAX_WEIGHT:g} and {MAX_WEIGHT:g}")
        table[name] = float(weight)
    return table


def known_weights(stored: Mapping[str, float]) -> dict[str, float]:
    """Return a stored table without the signals that another version knows and this one does not: feeds must
    not end because of them."""
    return {name: float(weight) for name, weight in stored.items() if name in SIGNALS}


class SignalWeights:
    """The table in force in one replica; a signal that it leaves out counts nothing.

    revision: which of the stored tables this is; 0 for the settings' own, before anybody has changed it. One
    thread reads and replaces it, between requests.
    """

    def __init__(self, table: Mapping[str, float], revision: int = 0) -> None:
        self.replace(table, revision)

    def replace(self, table: Mapping[str, float], revision: int) -> None:
        """Put another table in force. table: as `checked_weights` returns it."""
        self.table = dict(table)
        self.revision = revision
        counting = {name: weight for name, weight in table.items() if weight}
        heads = [name for name in counting if name not in RATE_SIGNALS]
        rates = [name for name in counting if name in RATE_SIGNALS]
        self._head_columns = np.array([OUTPUTS.index(name) for name in heads], dtype=np.int64)
        self._head_weights = np.array([counting[name] for name in heads])
        self._rate_columns = np.array(
            [COUNTER_TOTAL_INDEX[RATE_SIGNALS[name]] for name in rates], dtype=np.int64
        )
        self._rate_weights = np.array([counting[name] for name in rates])

    @contextmanager
    def tried(self, table: Mapping[str, float]) -> Iterator[None]:
        """Put a table in force for the length of the block, which must not await."""
        before, revision = self.table, self.revision
        self.replace(table, revision)
        try:
            yield
        finally:
            self.replace(before, revision)

    def score(self, scored: ScoredCandidates) -> DoubleArray:
        """Return sum over signals of weight * value, float64 [n]; NaN where a head that counts is NaN.

        A rate is an answer's count over all watchings, held near 0 until there are some: count / (watchings
        + 20).
        """
        scores = np.empty(len(scored))
        _put_sums(
            scored.probabilities,
            self._head_columns,
            self._head_weights,
            scored.counters.totals,
            self._rate_columns,
            self._rate_weights,
            scores,
        )
        return scores


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_sums(
    heads: Any,
    head_columns: Any,
    head_weights: Any,
    totals: Any,
    rate_columns: Any,
    rate_weights: Any,
    scores: Any,
) -> None:
    for index in range(len(scores)):
        score = 0.0
        for place in range(len(head_columns)):
            score += head_weights[place] * heads[index, head_columns[place]]
        if len(rate_columns):
            watchings = totals[index, _VIEWS] + totals[index, _SKIPS] + _PRIOR_WATCHINGS
            rates = 0.0
            for place in range(len(rate_columns)):
                rates += rate_weights[place] * (totals[index, rate_columns[place]] / watchings)
            score += rates
        scores[index] = score
