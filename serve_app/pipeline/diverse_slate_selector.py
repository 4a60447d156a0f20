"""A slate that is good as a whole: scores weighed against likeness by a determinantal point process."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import DoubleArray, IntArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.greedy_slate import greedy_slate
from serve_app.pipeline.score_spread import deviation
from serve_app.pipeline.top_score_selector import SlateSettings, by_falling_score


class DiverseSlateSettings(BaseModel):
    """quality: 1 orders by score alone, towards 0 by unlikeness alone. window: the best scores among which
    the slate is composed. same_category: the share of likeness that the category decides, in [0, 1).
    repeat_cost: what a content loses for each of its category that is placed before it, in deviations of the
    window's scores: people tire of sameness."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quality: float = Field(0.85, gt=0, le=1)
    window: int = Field(150, ge=1)
    same_category: float = Field(0.3, ge=0, lt=1)
    repeat_cost: float = Field(0.4, ge=0)


class DiverseSlateSelector:
    """Greedy maximum a posteriori of a DPP (Chen et al., NeurIPS 2018, arXiv 1709.05135).

    Maximizes quality * (sum of scores - repeat_cost * pairs of one category) + (1 - quality) * log det of the
    slate's likenesses. Scores enter in units of their deviation in the window, so the knobs mean the same
    whatever the weights are. Likeness is the cosine of retrieval vectors, mixed with a 1 where the categories
    are the same and a 0 where not; its determinant stops at the second of a kind, the cost goes on rising.
    """

    name = "diverse_slate"

    def __init__(self, settings: DiverseSlateSettings, slate: SlateSettings, replica: ModelReplica) -> None:
        self._settings = settings
        self._max_per_creator = slate.max_per_creator
        self._replica = replica

    def select(self, scored: ScoredCandidates, count: int) -> IntArray:
        order = by_falling_score(scored.scores)
        quality = self._settings.quality
        window, rewards = _rewards(scored.scores, order[: max(self._settings.window, count)], quality)
        chosen = window[:0]
        if len(window):
            chosen = window[self._compose(scored, window, rewards, min(count, len(window)))]
        if len(chosen) < count:  # without an answer of the model they come last
            chosen = np.concatenate([chosen, order[~np.isin(order, chosen)]])
        best: IntArray = chosen[:count]
        return best

    def _compose(
        self, scored: ScoredCandidates, window: IntArray, rewards: DoubleArray, count: int
    ) -> IntArray:
        """Return positions in the window, int64 [count], in the order in which they are worth placing."""
        quality = self._settings.quality
        index = self._replica.state.index
        return greedy_slate(
            rewards,
            index.vectors(scored.candidates.rows[window]),
            index.dimension - 1,  # the last is the bias, which makes nothing alike
            scored.candidates.creator_keys[window],
            scored.contents.category_keys[window],
            same_category=self._settings.same_category,
            variety=1 - quality,
            repeat_cost=quality * self._settings.repeat_cost,
            max_per_creator=self._max_per_creator,
            count=count,
        )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _rewards(scores: Any, window: Any, quality: Any) -> Any:
    """Return those in the window whose scores are finite, and their scores in the units of its spread."""
    window = window[np.isfinite(scores[window])]
    values = scores[window]
    if len(values):
        values = quality * (values - values.sum() / len(values)) / (deviation(values) + 1e-12)
    return window, values
