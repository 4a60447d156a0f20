"""One picture of a demo: engagement over time under each feed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simulations.demo_measurements import EngagementSeries

_LOOKS: dict[str, tuple[str, str, float]] = {
    "online": ("learning while they scroll", "#0b6e4f", 2.8),
    "frozen": ("the same system, learner off", "#c1666b", 1.8),
    "popular": ("most popular", "#d4a017", 1.8),
    "random": ("random", "#7a7a7a", 1.8),
}
"""Label, colour and line width of each arm."""

_LABEL_GAP = 0.045
"""The least distance of two labels at the right edge, in shares."""


def save_engagement_plot(path: Path, arms: Mapping[str, EngagementSeries], title: str = "") -> Path:
    """Draw every arm with a band of two standard errors and write a PNG; returns where it is."""
    figure = Figure(figsize=(9.5, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ends: dict[str, float] = {}
    last = max((series.times[-1] for series in arms.values() if len(series.times)), default=1.0)
    for arm in (name for name in _LOOKS if name in arms):
        label, colour, width = _LOOKS[arm]
        series = arms[arm]
        seen = np.isfinite(series.shares)
        if seen.sum() > 1 and series.errors[seen][-1] > 1.5 * np.median(series.errors[seen]):
            seen[np.flatnonzero(seen)[-1]] = False  # the run ended within this bin: too few to draw
        times, shares, errors = series.times[seen], series.shares[seen], series.errors[seen]
        if not len(times):
            continue
        axes.plot(times, shares, color=colour, linewidth=width, label=label, solid_capstyle="round")
        low, high = np.clip([shares - 2 * errors, shares + 2 * errors], 0.0, 1.0)
        axes.fill_between(times, low, high, color=colour, alpha=0.13, linewidth=0)
        ends[arm] = float(np.mean(shares[-3:]))
    for arm, height in _spread(ends).items():
        label, colour, _ = _LOOKS[arm]
        axes.annotate(
            f"{label}  {ends[arm]:.0%}",
            xy=(last, height),
            xytext=(8, 0),
            textcoords="offset points",
            color=colour,
            fontsize=11,
            fontweight="bold" if arm == "online" else "normal",
            va="center",
            annotation_clip=False,
        )
    axes.set_title(
        title or "Engagement while people scroll: the same people under each feed", loc="left", pad=12
    )
    axes.set_xlabel(
        "seconds since the start      (bands: two standard errors; numbers: the last three points)"
    )
    axes.set_ylabel("share of shown contents that were viewed")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    top = max((float(np.nanmax(s.shares)) for s in arms.values() if np.isfinite(s.shares).any()), default=1.0)
    axes.set_ylim(0, min(1.0, top + 0.12))
    axes.set_xlim(0, last)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _spread(ends: Mapping[str, float]) -> dict[str, float]:
    """Move labels apart upwards where lines end close to each other."""
    placed: dict[str, float] = {}
    height = -np.inf
    for arm, end in sorted(ends.items(), key=lambda item: item[1]):
        height = max(end, height + _LABEL_GAP)
        placed[arm] = height
    return placed
