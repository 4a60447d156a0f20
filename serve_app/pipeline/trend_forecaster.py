"""Which contents will be engaged with more: forecasts for those that trend, renewed at intervals."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import KeySet
from messages.arrays import DoubleArray, IdArray
from messages.updates import COUNTER_TOTAL_INDEX
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.exponential_smoothing import forecast

_VIEWS = COUNTER_TOTAL_INDEX["views"]
_PRIOR_VIEWS = 5.0
"""Views that forecast and present have in common: a few views make no trend."""


class TrendForecastSettings(BaseModel):
    """num_contents: the trending contents that are followed, 0 for no forecasts. interval_seconds: between
    two looks at their counters. num_intervals: of the past. horizon: intervals ahead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_contents: int = Field(200, ge=0, le=1_000)
    interval_seconds: float = Field(60.0, gt=0)
    num_intervals: int = Field(30, ge=2)
    horizon: int = Field(5, ge=1)


class TrendForecaster:
    """Content key -> how much faster it will be viewed than now, in [0, 1]: 0 for no faster, 1 for twice.

    Looks at the counters at the first request after an interval is over: a millisecond or so then, nothing in
    between. So forecasts are a function of the requests' times and of the counters. Bounded by
    num_contents * num_intervals numbers.
    """

    def __init__(self, settings: TrendForecastSettings, replica: ModelReplica) -> None:
        self._settings = settings
        self._replica = replica
        self._views: dict[int, int] = {}
        self._rates: dict[int, deque[float]] = {}  # views in each interval, the newest last
        self._last_look = -np.inf
        self._keys = KeySet(np.empty(0, dtype=np.uint64))
        self._factors: DoubleArray = np.empty(0)

    def factors(self, keys: IdArray) -> DoubleArray:
        """Return the factor of each content, float64 [n], 0 where there is no forecast."""
        factors = np.zeros(len(keys))
        _put_factors(self._factors, self._keys.places(keys), factors)
        return factors

    def look(self, now: float) -> bool:
        """Renew the forecasts where an interval is over at `now`, epoch seconds; say whether."""
        elapsed = now - self._last_look
        if not self._settings.num_contents or elapsed < self._settings.interval_seconds:
            return False
        state = self._replica.state
        rows = state.trending.top(self._settings.num_contents)
        keys = state.contents.content_keys[rows]
        views = state.counters.totals(keys)[:, _VIEWS].tolist()
        intervals = elapsed / self._settings.interval_seconds
        rates: dict[int, deque[float]] = {}
        for key, total in zip(keys.tolist(), views, strict=True):
            if key in self._views:
                rates[key] = self._rates.get(key, deque(maxlen=self._settings.num_intervals))
                rates[key].append(max(total - self._views[key], 0) / intervals)
        self._views = dict(zip(keys.tolist(), views, strict=True))
        self._rates, self._last_look = rates, now
        self._forecast()
        return True

    def _forecast(self) -> None:
        followed = sorted(key for key, rates in self._rates.items() if len(rates) > 1)
        self._keys = KeySet(np.array(followed, dtype=np.uint64))
        if not followed:
            self._factors = np.empty(0)
            return
        longest = max(len(self._rates[key]) for key in followed)
        # Before a content was followed it is taken to have been as it was first: that is no trend.
        series = np.array(
            [
                [self._rates[key][0]] * (longest - len(self._rates[key])) + [*self._rates[key]]
                for key in followed
            ]
        )
        present = series[:, -min(longest, self._settings.horizon) :].mean(axis=1)
        growth = (forecast(series, self._settings.horizon) + _PRIOR_VIEWS) / (present + _PRIOR_VIEWS)
        self._factors = np.clip(growth - 1, 0.0, 1.0)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_factors(known: Any, places: Any, factors: Any) -> None:
    for index in range(len(places)):
        if places[index] >= 0:
            factors[index] = known[places[index]]
