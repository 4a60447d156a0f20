"""The pictures of a simulation: one line a policy over the world's hours, and bars of what was closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from messages.arrays import DoubleArray
from simulations.arm_record import NUM_BINS, ArmRecord
from simulations.policy_pictures import LOOKS, new_figure, save_bars
from simulations.recovery import lost_after_jump
from simulations.recovery_plots import save_recovery_plots
from simulations.simulation import SimulationResult

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
    save_bars(
        result.gaps(),
        folder / "gap_closed.png",
        f"{result.preset.name}: how much of the gap between random and oracle is closed",
        "(engagement - random) / (oracle - random), second half of the day",
    )
    written |= _save_of_preset(result, folder)
    written["retention.png"] = "Retention"
    save_bars(
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
        written |= save_recovery_plots(result.recoveries(), name, folder)
        written["lost_after_jump.png"] = "Lost after a jump"
        save_bars(
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
        save_bars(
            result.new_good(),
            folder / "new_good.png",
            f"{name}: how many of the new good contents come to their due",
            "share of them that got 80% of the impressions the oracle gives them",
            least=0.0,
            most=1.0,
        )
    return written


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
    figure, axes = new_figure(f"{result.preset.name}: {title.lower()}")
    for name, (label, colour, width, style) in LOOKS.items():
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
