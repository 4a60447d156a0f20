"""The rows of a benchmark's table: a figure, what was promised of it, and what it was before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulations.benchmarks.benchmark_figures import Benchmark, Figure

NOTICED = 0.1
"""Share by which a figure has to differ from the one before to be called better or worse: two runs of one
version differ too."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """is_kept: whether its promise is; None where none was made of such sizes. before: None where no earlier
    run is alike. change: now / before; None also where that is no number. quick: small sizes, where figures
    differ from run to run by more than any change of the code makes."""

    figure: Figure
    value: float
    is_kept: bool | None
    before: float | None
    quick: bool = False

    @property
    def change(self) -> float | None:
        return self.value / self.before if self.before else None

    @property
    def is_better(self) -> bool | None:
        """Whether it is better than before; None where that cannot be said, or the difference is small."""
        change, more = self.change, self.figure.more_is_better
        if self.quick or change is None or more is None or abs(change - 1) < NOTICED:
            return None
        return (change > 1) == more


def rows_of(
    benchmark: Benchmark, figures: Mapping[str, Any], before: Mapping[str, Any] | None, *, quick: bool
) -> list[FigureRow]:
    """Return a row for each figure that was measured, in the benchmark's order."""
    rows = []
    for figure in benchmark.figures:
        value = number_of(figures, figure.name)
        if value is not None:
            kept = None if quick else figure.is_kept(value)
            was = number_of(before or {}, figure.name)
            rows.append(FigureRow(figure, value, kept, was, quick))
    return rows


def not_measured(benchmark: Benchmark, figures: Mapping[str, Any]) -> list[str]:
    """Return the names of figures that a report lacks, or that are no number in it."""
    return [figure.name for figure in benchmark.figures if number_of(figures, figure.name) is None]


def number_of(figures: Mapping[str, Any], name: str) -> float | None:
    """Return a figure where it is a number."""
    value = figures.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def shown(value: float) -> str:
    """Write a number with three digits that count, or all of an integer's."""
    return f"{value:,.{0 if isinstance(value, int) else decimals(value)}f}"


def decimals(value: float) -> int:
    """Return how many decimals a number needs for three digits that count."""
    return max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
