"""The pictures of the benchmarks: bars of figures that belong together, and of the stages of a way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from simulations.benchmarks.bar_plots import BAR_PLOTS, BarPlot
from simulations.benchmarks.benchmark_figures import Benchmark, Figure
from simulations.benchmarks.benchmark_rows import decimals, number_of, shown
from simulations.policy_pictures import new_figure

_OURS, _PEER, _MISSED, _REST = "#0b6e4f", "#9aa5b1", "#c1121f", "#d9d9d9"

_FRESHNESS_STAGES = {
    "join_ms": "join: until its example is there",
    "learn_ms": "learn: until the shards are read",
    "sync_ms": "sync: until replicas serve it",
}


def save_plots(
    benchmark: Benchmark, figures: Mapping[str, Any], folder: Path, *, quick: bool
) -> dict[str, str]:
    """Write the PNGs of a benchmark that there are figures for; returns titles by file name."""
    size = " (small sizes)" if quick else ""
    written = {}
    for plot in BAR_PLOTS.get(benchmark.name, ()):
        if any(number_of(figures, bar.figure) is not None for bar in plot.bars):
            bounded = plot.has_bounds and not quick
            _save_bar_plot(plot, f"{plot.title}{size}", benchmark, figures, folder / plot.file, bounded)
            written[plot.file] = plot.title
    for file, (title, unit, stages) in stages_of(benchmark.name, figures).items():
        _save_stages(f"{title}{size}", unit, stages, folder / file)
        written[file] = title
    return written


def stages_of(name: str, figures: Mapping[str, Any]) -> dict[str, tuple[str, str, dict[str, float]]]:
    """Return title, unit and stages, in the order of their way, by file name; only of what was measured."""
    if name == "learn":
        title, unit = "Learning: where the time goes in one process", "percent, of the time of an example"
        keys = [key for key in figures if key.startswith("stage_") and key.endswith("_share")]
        names = {key: key.removeprefix("stage_").removesuffix("_share").replace("_", " ") for key in keys}
        stages = {label: 100 * share for label, share in _measured(figures, names).items()}
        return {"learn-stages.png": (title, unit, stages)} if stages else {}
    nested = figures.get("stages") or {}
    if name == "freshness":
        title, unit = "Freshness: where the time of an event goes", "milliseconds, mean, one after the other"
        stages = _measured(nested, _FRESHNESS_STAGES)
        return {"freshness-stages.png": (title, unit, stages)} if stages else {}
    stages = _measured(
        nested, {key: key.replace(".", ": ").replace("_", " ") for key in nested if "." in key}
    )
    title = "Serving: the stages of ranking"
    if name == "request":
        title = "One request: where its processor time goes"
        stages |= _measured(nested, {"observe": "observers: of what was shown"})
        if (whole := number_of(figures, "cpu_ms")) is not None and stages:
            stages["all else (HTTP, state, JSON)"] = whole - sum(stages.values())
    return {f"{name}-stages.png": (title, "milliseconds, mean", stages)} if stages else {}


def _measured(figures: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, float]:
    """Return the figures that are numbers, by label. labels: by name."""
    numbers = {label: number_of(figures, name) for name, label in labels.items()}
    return {label: number for label, number in numbers.items() if number is not None}


def _save_bar_plot(
    plot: BarPlot,
    title: str,
    benchmark: Benchmark,
    figures: Mapping[str, Any],
    path: Path,
    has_bounds: bool,
) -> None:
    bars = [bar for bar in plot.bars if number_of(figures, bar.figure) is not None]
    known = {figure.name: figure for figure in benchmark.figures}
    values = [float(figures[bar.figure]) for bar in bars]
    figure, axes = new_figure(title)
    figure.set_size_inches(9.5, 1.7 + 0.45 * len(bars))
    colours = [_PEER if bar.is_peer else _OURS for bar in bars]
    notes = [plot.unit]
    if any(bar.is_peer for bar in bars):
        notes.append("grey: what it is measured against")
    if plot.has_bounds:
        axes.axvline(1.0, color="#444444", linestyle=":", linewidth=1.2)
        notes.append("dotted line at 1: as the peer")
    if has_bounds:
        for place, (bar, value) in enumerate(zip(bars, values, strict=True)):
            if known[bar.figure].is_kept(value) is False:
                colours[place] = _MISSED
            _draw_bound(axes, place, known[bar.figure])
        notes.append("dark mark: promised at least (>) or at most (<); red: missed")
    _draw(axes, [bar.label for bar in bars], values, colours, numbers_beside=not plot.has_bounds)
    axes.set_xlabel("\n".join(notes))
    figure.savefig(path, metadata={"Software": None})


def _draw_bound(axes: Axes, place: int, figure: Figure) -> None:
    if figure.promised is not None:
        colour, height = "#1d3557", 0.42
        axes.plot([figure.promised] * 2, [place - height, place + height], color=colour, linewidth=2)
        axes.plot(figure.promised, place, ">" if figure.more_is_better else "<", color=colour, markersize=8)


def _save_stages(title: str, unit: str, stages: Mapping[str, float], path: Path) -> None:
    whole = "" if unit.startswith("percent") else f": {shown(float(sum(stages.values())))} ms in all"
    figure, axes = new_figure(f"{title}{whole}")
    figure.set_size_inches(9.5, 1.6 + 0.3 * len(stages))
    colours = [_REST if name.startswith("all else") else _OURS for name in stages]
    _draw(axes, list(stages), list(stages.values()), colours)
    axes.set_xlabel(unit)
    figure.savefig(path, metadata={"Software": None})


def _draw(
    axes: Axes,
    labels: Sequence[str],
    values: Sequence[float],
    colours: Sequence[str],
    *,
    numbers_beside: bool = True,
) -> None:
    """Draw bars from above, each with its number: beside it, or in its label where marks would hide it."""
    axes.barh(range(len(labels)), values, color=colours, height=0.65)
    digits = decimals(max(map(abs, values), default=0.0))
    numbers = [f"{value:,.{digits}f}" for value in values]
    if numbers_beside:
        for place, (value, number) in enumerate(zip(values, numbers, strict=True)):
            at = (max(value, 0.0), place)
            axes.annotate(number, at, xytext=(6, 0), textcoords="offset points", va="center")
    else:
        labels = [f"{label}:  {number}" for label, number in zip(labels, numbers, strict=True)]
    axes.set_yticks(range(len(labels)), labels)
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.set_xlim(left=0, right=max(axes.get_xlim()[1] * 1.1, 1e-9))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
