"""How policies look in pictures, and bars of one number a policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simulations.copies import WITHOUT_BOTS
from simulations.simulation_measures import Estimate

LOOKS: dict[str, tuple[str, str, float, str]] = {
    "oracle": ("oracle (knows the truth)", "#1d3557", 1.8, "--"),
    "online": ("online (learns while they scroll)", "#0b6e4f", 2.8, "-"),
    WITHOUT_BOTS: ("online, the same without bots", "#6fb98f", 1.6, "-"),
    "frozen-5min": ("model refitted every 5 min", "#f4a261", 1.6, "-"),
    "frozen-30min": ("model refitted every 30 min", "#e76f51", 1.6, "-"),
    "frozen-5h": ("model refitted every 5 h", "#c1121f", 1.6, "-"),
    "batch-5min": ("all refitted every 5 min", "#90be6d", 1.6, "--"),
    "batch-30min": ("all refitted every 30 min", "#4d908e", 1.6, "--"),
    "batch-5h": ("all refitted every 5 h", "#577590", 1.6, "--"),
    "tags": ("tag likes", "#7b2cbf", 1.6, "-"),
    "popular": ("most popular", "#d4a017", 1.6, "-"),
    "random": ("random", "#7a7a7a", 1.6, "-"),
}
"""Label, colour, width and style of each policy, in the order of the legend."""


def new_figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.5, 5.0), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", pad=12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_bars(
    estimates: Mapping[str, Estimate],
    path: Path,
    title: str,
    unit: str,
    *,
    shape: str = ".0%",
    least: float | None = None,
    most: float | None = None,
    beyond: Collection[str] = (),
) -> None:
    """least, most: what the quantity is never below and above, whatever an interval of few seeds says.

    beyond: the policies of which it is only known that they are beyond their value.
    """
    figure, axes = new_figure(title)
    names = [name for name in reversed(LOOKS) if name in estimates and estimates[name].mean is not None]
    several = False
    for place, name in enumerate(names):
        estimate = estimates[name]
        mean = estimate.mean or 0.0
        low = mean if estimate.low is None else max(estimate.low, -np.inf if least is None else least)
        high = mean if estimate.high is None else min(estimate.high, np.inf if most is None else most)
        several = several or estimate.low is not None
        whiskers = [[mean - low], [high - mean]] if low < high else None
        known = name not in beyond
        axes.barh(
            place,
            mean,
            color=LOOKS[name][1],
            alpha=1.0 if known else 0.3,
            xerr=whiskers if known else None,
            capsize=4,
            height=0.65,
        )
        axes.annotate(
            format(mean, shape) if known else f"over {format(mean, shape)}",
            (max(high if known else mean, 0), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold" if name == "online" else "normal",
        )
    axes.set_yticks(range(len(names)), [LOOKS[name][0] for name in names])
    axes.set_xlim(left=least, right=axes.get_xlim()[1] * 1.12)
    axes.xaxis.set_major_formatter(lambda value, _: format(value, shape))
    axes.set_xlabel(unit + ("\nwhiskers: 95% interval over seeds" if several else ""))
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    figure.savefig(path, metadata={"Software": None})
