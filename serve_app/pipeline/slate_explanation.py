"""How each content of a slate got its score and its place: worked out only for those who ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from messages.arrays import DoubleArray, IntArray
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.top_score_selector import by_falling_score


@dataclass(frozen=True, slots=True)
class SlateExplanation:
    """k contents, in the order in which they are shown.

    signals: head -> what it adds to the score, float64 [k]. adjustments: scorer -> what it added to the score
    it was given, float64 [k]. places_by_score: the place that the score alone would give among all
    candidates, int64 [k], from 0. places_by_selector: the place that the selector gave, -1 for a content that
    only exploration brought in.
    """

    signals: Mapping[str, DoubleArray]
    adjustments: Mapping[str, DoubleArray]
    places_by_score: IntArray
    places_by_selector: IntArray


def explain_slate(
    steps: Sequence[tuple[str, DoubleArray]],
    signals: Mapping[str, DoubleArray],
    scored: ScoredCandidates,
    selected: IntArray,
    shown: IntArray,
) -> SlateExplanation:
    """Explain the contents `shown`, int64 [k], positions in `scored`.

    steps: the scores after each scorer that set or changed them, float64 [n] each. signals: float64 [n] each.
    selected: positions by the selector's order, int64 [k].
    """
    places = np.full(len(scored), -1, dtype=np.int64)
    places[selected] = np.arange(len(selected))
    by_score = np.empty(len(scored), dtype=np.int64)
    by_score[by_falling_score(scored.scores)] = np.arange(len(scored))
    adjustments = {name: (after - before)[shown] for (_, before), (name, after) in pairwise(steps)}
    return SlateExplanation(
        signals={name: values[shown] for name, values in signals.items()},
        adjustments=adjustments,
        places_by_score=by_score[shown],
        places_by_selector=places[shown],
    )
