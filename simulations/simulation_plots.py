"""The pictures of a simulation: one line a policy over the world's hours, and bars of what was closed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from messages.arrays import DoubleArray
from simulations.simulation import SimulationResult
from simulations.simulation_measures import Estimate, recovery_interactions

_LOOKS: dict[str, tuple[str, str, float, str]] = {
    "oracle": ("oracle (knows the truth)", "#1d3557", 1.8, "--"),
    "online": ("online (learns while they scroll)", "#0b6e4f", 2.8, "-"),
    "frozen-5min": ("refitted every 5 min", "#f4a261", 1.6, "-"),
    "frozen-30min": ("refitted every 30 min", "#e76f51", 1.6, "-"),
    "frozen-5h": ("refitted every 5 h", "#c1121f", 1.6, "-"),
    "tags": ("tag likes", "#7b2cbf", 1.6, "-"),
    "popular": ("most popular", "#d4a017", 1.6, "-"),
    "random": ("random", "#7a7a7a", 1.6, "-"),
}
"""Label, colour, width and style of each policy, in the order of the legend."""

QUANTITIES: dict[str, tuple[str, str]] = {
    "engagement": ("Engagement", "share of shown contents that were viewed"),
    "watch_time": ("Watch time", "minutes per person and hour"),
    "sessions": ("Coming back", "sessions per person and day"),
    "regret": ("Regret", "chance of a view lost per content\n(best there is, less what was shown)"),
    "diversity": ("Diversity", "different topics per slate"),
    "creators": ("Creators' exposure", "effective number of creators\n(exp of the entropy of impressions)"),
    "freshness": ("Freshness", "share of shown contents younger than 6 hours"),
}
"""Title and unit of each curve."""

SHARES = frozenset({"engagement", "freshness"})
"""Curves whose values lie in [0, 1]."""

_SMOOTHED = 3


def save_simulation_plots(result: SimulationResult, folder: Path) -> dict[str, str]:
    """Write a PNG for the gap and for every quantity; returns titles by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"gap_closed.png": "Gap closed"}
    _save_bars(
        result.gaps(),
        folder / "gap_closed.png",
        f"{result.preset.name}: how much of the gap between random and oracle is closed",
        "(engagement - random) / (oracle - random), second half of the day",
    )
    retention = result.estimates(lambda record: record.retention())
    written["retention.png"] = "Retention"
    _save_bars(
        retention,
        folder / "retention.png",
        f"{result.preset.name}: who came early and came again",
        "share of the people of the first third who came in the last third too",
        least=0.0,
        most=1.0,
    )
    if jump_hours := result.preset.world.dynamics.jump_hours:
        written["recovery.png"] = "Recovery"
        _save_bars(
            result.estimates(lambda record: recovery_interactions(record, jump_hours)),
            folder / "recovery.png",
            f"{result.preset.name}: how soon a feed is back after a jump of tastes",
            "interactions until the feed is at 90% of its level before the jump",
            shape=",.0f",
            least=0.0,
        )
    for quantity, (title, unit) in QUANTITIES.items():
        _save_curves(result, quantity, title, unit, folder / f"{quantity}.png")
        written[f"{quantity}.png"] = title
    return written


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.5, 5.0), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", pad=12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save_curves(result: SimulationResult, quantity: str, title: str, unit: str, path: Path) -> None:
    seeds = len(result.records)
    bands = f"; bands: two standard errors over {seeds} seeds" if seeds > 1 else ""
    figure, axes = _figure(f"{result.preset.name}: {title.lower()}")
    for name, (label, colour, width, style) in _LOOKS.items():
        if name not in result.names:
            continue
        hours, mean, error = result.curve(name, quantity)
        mean, error = _smooth(mean), _smooth(error)
        axes.plot(hours, mean, style, color=colour, linewidth=width, label=label)
        if seeds > 1:
            low, high = band(mean, error, most=1.0 if quantity in SHARES else None)
            axes.fill_between(hours, low, high, color=colour, alpha=0.12, linewidth=0)
    for number, hour in enumerate(result.preset.world.dynamics.jump_hours):
        axes.axvline(
            hour, color="#444444", linestyle=":", linewidth=1.2, label="" if number else "tastes jump"
        )
    axes.set_xlabel(f"hours of the world (mean of {_SMOOTHED} half hours{bands})")
    axes.set_ylabel(unit)
    axes.set_xlim(0, result.preset.hours)
    axes.set_ylim(0.0, min(axes.get_ylim()[1], 1.0) if quantity in SHARES else None)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, metadata={"Software": None})


def band(mean: DoubleArray, error: DoubleArray, most: float | None = None) -> tuple[DoubleArray, DoubleArray]:
    """Return two standard errors below and above a mean, float64 [n] each, within what the quantity can be.

    No quantity here is ever below 0; most: what it is never above, None for no bound.
    """
    return np.maximum(mean - 2 * error, 0.0), np.minimum(mean + 2 * error, np.inf if most is None else most)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Average neighbours, leaving out what is not known."""
    known = np.isfinite(values)
    ones = np.ones(_SMOOTHED)
    with np.errstate(invalid="ignore"):
        return np.convolve(np.where(known, values, 0.0), ones, "same") / np.convolve(known, ones, "same")


def _save_bars(
    estimates: Mapping[str, Estimate],
    path: Path,
    title: str,
    unit: str,
    shape: str = ".0%",
    least: float | None = None,
    most: float | None = None,
) -> None:
    """least, most: what the quantity is never below and above, whatever an interval of few seeds says."""
    figure, axes = _figure(title)
    names = [name for name in reversed(_LOOKS) if name in estimates and estimates[name].mean is not None]
    for place, name in enumerate(names):
        estimate = estimates[name]
        mean = estimate.mean or 0.0
        low = mean if estimate.low is None else max(estimate.low, -np.inf if least is None else least)
        high = mean if estimate.high is None else min(estimate.high, np.inf if most is None else most)
        whiskers = [[mean - low], [high - mean]] if low < high else None
        axes.barh(place, mean, color=_LOOKS[name][1], xerr=whiskers, capsize=4, height=0.65)
        axes.annotate(
            format(mean, shape),
            (max(high, 0), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold" if name == "online" else "normal",
        )
    axes.set_yticks(range(len(names)), [_LOOKS[name][0] for name in names])
    axes.set_xlim(left=least, right=axes.get_xlim()[1] * 1.08)
    axes.xaxis.set_major_formatter(lambda value, _: format(value, shape))
    axes.set_xlabel(f"{unit}   (whiskers: 95% interval over seeds)")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    figure.savefig(path, metadata={"Software": None})
