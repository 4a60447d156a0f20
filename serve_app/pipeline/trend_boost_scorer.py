"""What is rising now gets a little more (specification, section 9.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import DoubleArray
from messages.updates import DECAYED_COUNTERS, HALF_LIVES
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.trend_forecaster import TrendForecaster, TrendForecastSettings

_ENGAGED = DECAYED_COUNTERS.index("engaged")
_PRIOR_ENGAGEMENTS = 20.0
_SHORTEST, _LONGEST = HALF_LIVES[0], HALF_LIVES[-1]


class TrendBoostSettings(BaseModel):
    """beta: how much a content that only this hour has found gains, as a share of its score; 0 for none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    beta: float = Field(0.05, ge=0, le=10)
    forecast: TrendForecastSettings = TrendForecastSettings()


class TrendBoostScorer:
    """boosted = score * (1 + beta * trend), trend in [0, 1]: what has risen, or what will, whichever is more.

    What has risen: the rate of engagement at the shortest half-life against that at the longest: 0 for a
    steady or a falling content, 1 for one all of whose engagement is new. A few engagements prove no trend:
    the rates have a prior. What will rise: the forecast, for the contents that trend. A score below zero is
    left as it is, or the boost would push it down.
    """

    name = "trend_boost"

    def __init__(self, settings: TrendBoostSettings, forecaster: TrendForecaster | None = None) -> None:
        self._beta = settings.beta
        self._forecaster = forecaster

    def score(self, request: RankingRequest, scored: ScoredCandidates) -> ScoredCandidates:
        counters = scored.counters
        if self._forecaster is None:
            rising = np.zeros(len(scored))
        else:
            rising = self._forecaster.factors(scored.candidates.content_keys)
        boosted = scored.scores.copy()
        _boost(boosted, counters.decayed, counters.times, request.now, rising, self._beta)
        return scored.with_scores(boosted)

    def observe(
        self, request: RankingRequest, _considered: ScoredCandidates, _shown: ScoredCandidates
    ) -> None:
        if self._forecaster is not None:
            self._forecaster.look(request.now)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def share_of_new(decayed: DoubleArray, times: DoubleArray, now: float) -> DoubleArray:
    """Return how much of each content's engagement is new, in [0, 1], float64 [n].

    decayed: float64 [n, H, D], as of `times`, float64 [n]. now: epoch seconds.
    """
    share = np.empty(len(times))
    for row in range(len(times)):
        share[row] = _share_of_new(decayed, times, now, row)
    return share


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _share_of_new(decayed: Any, times: Any, now: Any, row: Any) -> Any:
    lately, before = decayed[row, 0, _ENGAGED], decayed[row, -1, _ENGAGED]
    if lately != 0 or before != 0:  # with most it is none
        elapsed = max(now - times[row], 0.0)
        lately *= 2.0 ** (-elapsed / _SHORTEST)
        before *= 2.0 ** (-elapsed / _LONGEST)
    # A decayed sum of a steady stream is its rate * half-life / ln 2: so this ratio is 1 for a steady one
    # and longest / shortest for one that began just now.
    ratio = (lately + _PRIOR_ENGAGEMENTS * _SHORTEST / _LONGEST) / _SHORTEST
    ratio /= (before + _PRIOR_ENGAGEMENTS) / _LONGEST
    return min(max((ratio - 1) / (_LONGEST / _SHORTEST - 1), 0.0), 1.0)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _boost(scores: Any, decayed: Any, times: Any, now: Any, rising: Any, beta: Any) -> None:
    for row in range(len(scores)):
        if scores[row] > 0:
            scores[row] *= 1 + beta * max(_share_of_new(decayed, times, now, row), rising[row])
