"""The pictures of a load: latency against throughput and where the knee is; and both over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from simulations.load_steps import LoadMoment, LoadStep

_LINES = (("feed_p50_ms", "median", "#0b6e4f"), ("feed_p95_ms", "95th percentile", "#e76f51"))


def save_load_plot(path: Path, steps: Sequence[LoadStep], knee: LoadStep | None, title: str) -> Path:
    """Write a PNG; points are steps, with their number of people. knee: the last good step; where that is the
    last one too, the knee lies beyond it."""
    figure = Figure(figsize=(9.0, 5.0), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rates = [step.requests_per_s for step in steps]
    for name, label, colour in _LINES:
        axes.plot(
            rates, [getattr(step, name) for step in steps], "o-", color=colour, label=label, linewidth=2
        )
    for step in steps:
        axes.annotate(
            f"{step.people} people",
            (step.requests_per_s, step.feed_p95_ms),
            xytext=(-6, 6),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color="#555555",
        )
    if knee is not None:
        axes.axvline(knee.requests_per_s, color="#1d3557", linestyle="--", linewidth=1.5)
        axes.annotate(
            f"{'knee' if knee is not steps[-1] else 'kept up'}: {knee.requests_per_s:,.0f} requests/s ",
            (knee.requests_per_s, 0.97),
            xycoords=("data", "axes fraction"),
            ha="right",
            va="top",
            color="#1d3557",
            fontweight="bold",
        )
    axes.set_title(title, loc="left", pad=12)
    axes.set_xlabel("requests per second (feeds and event batches together)")
    axes.set_ylabel("milliseconds until a feed is answered")
    _style_of_latency(axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def save_soak_plot(path: Path, moments: Sequence[LoadMoment], title: str) -> Path:
    """Write a PNG of latency over time, and below it of what was answered and what failed."""
    figure = Figure(figsize=(9.0, 6.0), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    latency, rate = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    minutes = [moment.seconds / 60 for moment in moments]
    for name, label, colour in _LINES:
        latency.plot(minutes, [getattr(moment, name) for moment in moments], color=colour, label=label)
    latency.set_title(title, loc="left", pad=12)
    latency.set_ylabel("milliseconds until\na feed is answered")
    _style_of_latency(latency)
    rate.plot(minutes, [moment.feeds_per_s for moment in moments], color="#1d3557", label="feeds")
    rate.plot(minutes, [moment.failures_per_s for moment in moments], color="#c1121f", label="failures")
    rate.set_ylabel("per second")
    rate.set_xlabel("minutes")
    rate.set_ylim(bottom=0)
    rate.grid(axis="y", color="#dddddd", linewidth=0.8)
    rate.spines[["top", "right"]].set_visible(False)
    rate.legend(frameon=False, loc="center right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _style_of_latency(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(left=0)
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
