"""The picture of a comparison: each variant's difference with its interval, and how AUC went over the run."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simulations.experiments.comparison import Comparison
from simulations.experiments.progressive_auc import HEADS_COMPARED, NUM_PARTS

_LOOKS = {"click": ("#0b6e4f", -0.12), "long_view": ("#c1666b", 0.12)}
"""Colour of a head, and how far its points stand from the variant's line."""


def save_comparison_plot(path: Path, comparison: Comparison, title: str, variants_label: str) -> Path:
    """Write a PNG; returns where it is."""
    figure = Figure(figsize=(11.5, 4.8), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    differences, course = figure.subplots(1, 2, width_ratios=[1.0, 1.0])
    _draw_differences(differences, comparison, variants_label)
    _draw_course(course, comparison, variants_label)
    num_seeds = len(comparison.curves[comparison.reference])
    figure.supxlabel(
        f"means over {num_seeds} seeds, bars: their 95% intervals",
        x=0.99,
        ha="right",
        fontsize=8,
        color="#666666",
    )
    for axes in (differences, course):
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _draw_differences(axes: Axes, comparison: Comparison, variants_label: str) -> None:
    variants = [variant for variant in comparison.curves if variant != comparison.reference]
    places = np.arange(len(variants))
    for head in HEADS_COMPARED:
        colour, offset = _LOOKS[head]
        reference = comparison.mean(comparison.reference, head).mean
        estimates = [comparison.difference(variant, head) for variant in variants]
        means = np.array([np.nan if e.mean is None else e.mean for e in estimates])
        reach = np.array([0.0 if e.high is None or e.mean is None else e.high - e.mean for e in estimates])
        axes.errorbar(
            places + offset,
            means,
            yerr=reach,
            fmt="o",
            color=colour,
            capsize=3,
            label=f"{head.replace('_', ' ')} ({_words(comparison.reference)}: {reference:.4f})",
        )
    axes.axhline(0, color="#444444", linewidth=1.2)
    axes.set_xticks(places, variants)
    axes.set_xlabel(variants_label)
    axes.set_ylabel(f"AUC less that of {_words(comparison.reference)}")
    axes.legend(frameon=False, fontsize=8)


def _draw_course(axes: Axes, comparison: Comparison, variants_label: str) -> None:
    """How the differences went: one line for each variant, of the first head."""
    shades = matplotlib.colormaps["viridis"]
    variants = [variant for variant in comparison.curves if variant != comparison.reference]
    head = next(iter(HEADS_COMPARED))
    centres = (np.arange(NUM_PARTS) + 0.5) / NUM_PARTS * 100
    for place, variant in enumerate(variants):
        parts = comparison.parts(variant, head)
        colour = shades(place / max(1, len(variants) - 1) * 0.85)
        means = np.array([np.nan if part.mean is None else part.mean for part in parts])
        axes.plot(centres, means, "o-", color=colour, markersize=3, linewidth=1.6, label=variant)
    axes.axhline(0, color="#444444", linewidth=1.2)
    axes.set_xlabel("percent of the run")
    axes.set_ylabel(f"{head}: the same difference in each tenth of the run")
    axes.legend(
        frameon=False,
        fontsize=8,
        title=textwrap.fill(variants_label, 16),
        title_fontsize=8,
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")
