"""The smoothing is that of statsmodels, series by series."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.holtwinters import Holt

from serve_app.pipeline.exponential_smoothing import DAMPING, smooth


@pytest.mark.parametrize(("level_share", "trend_share"), [(0.2, 0.1), (0.8, 0.4)])
def test_levels_and_trends_agree_with_statsmodels(level_share: float, trend_share: float) -> None:
    series = np.random.default_rng(1).poisson(20, size=(5, 30)).astype(np.float64)
    levels, trends, _ = smooth(series, level_share, trend_share, DAMPING)

    for values, level, trend in zip(series, levels, trends, strict=True):
        fitted = Holt(
            values[1:], damped_trend=True, initialization_method="known",
            initial_level=values[0], initial_trend=0.0,
        ).fit(
            smoothing_level=level_share, smoothing_trend=trend_share, damping_trend=DAMPING, optimized=False
        )  # fmt: skip
        expected = level + np.cumsum(DAMPING ** np.arange(1, 6)) * trend
        np.testing.assert_allclose(fitted.forecast(5), expected, rtol=1e-9)
