"""The picture of a demo."""

from pathlib import Path

import numpy as np

from simulations.demo_measurements import EngagementTracker
from simulations.demo_plot import save_engagement_plot


def test_the_picture_is_a_png_whatever_arms_there_are(tmp_path: Path) -> None:
    tracker = EngagementTracker()
    for second in range(30):
        for arm, viewed in (("online", 4 + second // 6), ("random", 3), ("online beside frozen", 4)):
            tracker.add(arm, second, viewed, 10)
    series = {arm: tracker.series(arm) for arm in tracker.arms}
    path = save_engagement_plot(tmp_path / "report" / "engagement.png", series)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000
    assert np.isfinite(series["online"].shares).all()


def test_a_demo_that_ended_at_once_has_a_picture_too(tmp_path: Path) -> None:
    assert save_engagement_plot(tmp_path / "empty.png", {}).exists()
