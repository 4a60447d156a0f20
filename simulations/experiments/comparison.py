"""Variants on the same seeds: means, differences to a reference, their intervals, as a report and a table.

Differences are taken within each seed, so what seeds have in common (a hard world, lucky first weights)
cancels (common random numbers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulations.experiments.progressive_auc import HEADS_COMPARED, AucCurve
from simulations.simulation_measures import Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """curves: one for each seed, by variant, in the order to show. reference: the variant that the others are
    compared with. facts: what else is known of a variant (share of ids that collide), shown in the table."""

    reference: str
    curves: Mapping[str, Sequence[AucCurve]]
    facts: Mapping[str, Mapping[str, float]]

    def mean(self, variant: str, head: str) -> Estimate:
        """Return the AUC over seeds."""
        return Estimate.of([curve.whole[head] for curve in self.curves[variant]])

    def difference(self, variant: str, head: str) -> Estimate:
        """Return a variant's AUC less the reference's, over seeds."""
        pairs = zip(self.curves[variant], self.curves[self.reference], strict=True)
        return Estimate.of([own.whole[head] - other.whole[head] for own, other in pairs])

    def settled_difference(self, variant: str, head: str) -> Estimate:
        """Return the same difference without the first tenth of the run."""
        pairs = zip(self.curves[variant], self.curves[self.reference], strict=True)
        return Estimate.of([own.settled[head] - other.settled[head] for own, other in pairs])

    def parts(self, variant: str, head: str) -> list[Estimate]:
        """Return the difference in each tenth of the run, over seeds."""
        own = np.array([curve.parts[head] for curve in self.curves[variant]])
        reference = np.array([curve.parts[head] for curve in self.curves[self.reference]])
        return [Estimate.of(part.tolist()) for part in (own - reference).T]

    def report(self, prefix: str) -> dict[str, Any]:
        """Return a flat report: auc and difference, with their 95% intervals, by variant and head."""
        report: dict[str, Any] = {}
        for variant in self.curves:
            for head in HEADS_COMPARED:
                key = f"{prefix}_{variant}_{head}"
                for name, estimate in (
                    ("auc", self.mean(variant, head)),
                    ("difference", self.difference(variant, head)),
                    ("settled_difference", self.settled_difference(variant, head)),
                ):
                    report |= {
                        f"{key}_{name}": estimate.mean,
                        f"{key}_{name}_low": estimate.low,
                        f"{key}_{name}_high": estimate.high,
                    }
            report |= {f"{prefix}_{variant}_{name}": value for name, value in self.facts[variant].items()}
        return report

    def table(self, title: str) -> str:
        """Return a table in Markdown."""
        facts = list(next(iter(self.facts.values()), {}))
        heads = list(HEADS_COMPARED)
        columns = ["variant", *(name.replace("_", " ") for name in facts)]
        for head in heads:
            columns += [f"AUC {head}", f"less that of {self.reference}", "without the first tenth"]
        lines = [f"## {title}", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        for variant in self.curves:
            cells = [variant, *(_number(self.facts[variant][name]) for name in facts)]
            for head in heads:
                cells.append(_interval(self.mean(variant, head), signed=False))
                differences = (self.difference(variant, head), self.settled_difference(variant, head))
                cells += ["" if variant == self.reference else _interval(found) for found in differences]
            lines.append(f"| {' | '.join(cells)} |")
        num_seeds = len(self.curves[self.reference])
        return "\n".join([*lines, "", f"Means over {num_seeds} seeds with 95% intervals (Student's t).", ""])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _interval(estimate: Estimate, *, signed: bool = True) -> str:
    sign = "+" if signed else ""
    if estimate.mean is None:
        return "unknown"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:{sign}.4f}"
    return f"{estimate.mean:{sign}.4f} [{estimate.low:{sign}.4f}, {estimate.high:{sign}.4f}]"
