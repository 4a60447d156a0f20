"""The pictures of a simulation: one line a policy over the world's hours, and bars of what was closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from messages.arrays import DoubleArray
from simulations.arm_record import NUM_BINS, ArmRecord
from simulations.copies import WITHOUT_BOTS
from simulations.simulation import SimulationResult
from simulations.simulation_measures import LEVEL_WINDOW, Estimate, lost_after_jump, recovery_interactions

_LOOKS: dict[str, tuple[str, str, float, str]] = {
    "oracle": ("oracle (knows the truth)", "#1d3557", 1.8, "--"),
    "online": ("online (learns while they scroll)", "#0b6e4f", 2.8, "-"),
    WITHOUT_BOTS: ("online, the same without bots", "#6fb98f", 1.6, "-"),
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
    """Write a PNG for the gap, for what the preset is about and for every quantity; returns titles by file
    name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"gap_closed.png": "Gap closed"}
    _save_bars(
        result.gaps(),
        folder / "gap_closed.png",
        f"{result.preset.name}: how much of the gap between random and oracle is closed",
        "(engagement - random) / (oracle - random), second half of the day",
    )
    written |= _save_of_preset(result, folder)
    written["retention.png"] = "Retention"
    _save_bars(
        result.estimates(ArmRecord.retention),
        folder / "retention.png",
        f"{result.preset.name}: who came early and came again",
        "share of the people of the first third who came in the last third too",
        least=0.0,
        most=1.0,
    )
    for quantity, (title, unit) in QUANTITIES.items():
        written[f"{quantity}.png"] = title
        _save_curves(
            result,
            lambda record, quantity=quantity: record.curves()[quantity],
            folder / f"{quantity}.png",
            title,
            unit,
            is_share=quantity in SHARES,
        )
    return written


def _save_of_preset(result: SimulationResult, folder: Path) -> dict[str, str]:
    """Write what this world was made to show."""
    name, dynamics = result.preset.name, result.preset.world.dynamics
    written: dict[str, str] = {}
    if jump_hours := dynamics.jump_hours:
        written["recovery.png"] = "Recovery"
        _save_bars(
            result.estimates(lambda record: recovery_interactions(record, jump_hours)),
            folder / "recovery.png",
            f"{name}: how soon a feed is back after a jump of tastes",
            f"interactions until {LEVEL_WINDOW} in a row are at 90% of the level before the jump",
            shape=",.0f",
            least=0.0,
            floor=(LEVEL_WINDOW, f"{LEVEL_WINDOW}: the level was never lost"),
        )
        written["lost_after_jump.png"] = "Lost after a jump"
        _save_bars(
            result.estimates(lambda record: lost_after_jump(record, jump_hours)),
            folder / "lost_after_jump.png",
            f"{name}: what a jump of tastes costs each feed at first",
            "fall of the share viewed in the 3,000 interactions after it, of the level before",
            shape=".1%",
        )
    if topics := dynamics.suppressed_topics:
        written["suppressed.png"] = "Once disliked"
        _save_curves(
            result,
            lambda record: record.share_of_topics(topics),
            folder / "suppressed.png",
            f"the {topics} topics that everybody disliked at first",
            "share of what was shown",
            is_share=True,
        )
    if dynamics.uploaded_later and any(found.mean is not None for found in result.new_good().values()):
        written["new_good.png"] = "New and good"
        _save_bars(
            result.new_good(),
            folder / "new_good.png",
            f"{name}: how many of the new good contents come to their due",
            "share of them that got 80% of the impressions the oracle gives them",
            least=0.0,
            most=1.0,
        )
    return written


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.5, 5.0), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", pad=12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save_curves(
    result: SimulationResult,
    measure: Callable[[ArmRecord], DoubleArray],
    path: Path,
    title: str,
    unit: str,
    *,
    is_share: bool,
) -> None:
    seeds = len(result.records)
    bands = f"; bands: two standard errors over {seeds} seeds" if seeds > 1 else ""
    figure, axes = _figure(f"{result.preset.name}: {title.lower()}")
    for name, (label, colour, width, style) in _LOOKS.items():
        if any(name not in records for records in result.records):
            continue
        hours, mean, error = result.curve_of(name, measure)
        mean, error = _smooth(mean), _smooth(error)
        axes.plot(hours, mean, style, color=colour, linewidth=width, label=label)
        if seeds > 1:
            low, high = band(mean, error, most=1.0 if is_share else None)
            axes.fill_between(hours, low, high, color=colour, alpha=0.12, linewidth=0)
    _mark_turns(axes, result)
    smoothed = _SMOOTHED * 60 * result.preset.hours / NUM_BINS
    axes.set_xlabel(f"hours of the world (mean of {smoothed:.3g} minutes{bands})")
    axes.set_ylabel(unit)
    axes.set_xlim(0, result.preset.hours)
    axes.set_ylim(0.0, min(axes.get_ylim()[1], 1.0) if is_share else None)
    if is_share:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, metadata={"Software": None})


def _mark_turns(axes: Axes, result: SimulationResult) -> None:
    """Draw a line where the world changes for everybody at once."""
    dynamics, end = result.preset.world.dynamics, result.preset.hours
    turns = [(hour, "tastes jump") for hour in dynamics.jump_hours]
    if dynamics.suppressed_topics:
        turns.append((dynamics.suppressed_hours, "a dislike ends"))
    told: set[str] = set()
    for hour, what in turns:
        if hour < end:
            label = "" if what in told else what
            axes.axvline(hour, color="#444444", linestyle=":", linewidth=1.2, label=label)
            told.add(what)


def band(mean: DoubleArray, error: DoubleArray, most: float | None = None) -> tuple[DoubleArray, DoubleArray]:
    """Return two standard errors below and above a mean, float64 [n] each, within what the quantity can be.

    No quantity here is ever below 0; most: what it is never above, None for no bound.
    """
    return np.maximum(mean - 2 * error, 0.0), np.minimum(mean + 2 * error, np.inf if most is None else most)


def _smooth(values: DoubleArray) -> DoubleArray:
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
    *,
    shape: str = ".0%",
    least: float | None = None,
    most: float | None = None,
    floor: tuple[float, str] | None = None,
) -> None:
    """least, most: what the quantity is never below and above, whatever an interval of few seeds says. floor:
    a value to compare the bars with, and what it means."""
    figure, axes = _figure(title)
    names = [name for name in reversed(_LOOKS) if name in estimates and estimates[name].mean is not None]
    several = False
    for place, name in enumerate(names):
        estimate = estimates[name]
        mean = estimate.mean or 0.0
        low = mean if estimate.low is None else max(estimate.low, -np.inf if least is None else least)
        high = mean if estimate.high is None else min(estimate.high, np.inf if most is None else most)
        several = several or estimate.low is not None
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
    axes.set_xlabel(unit + ("\nwhiskers: 95% interval over seeds" if several else ""))
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    if floor is not None:
        axes.axvline(floor[0], color="#444444", linestyle=":", linewidth=1.2, label=floor[1])
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    figure.savefig(path, metadata={"Software": None})
