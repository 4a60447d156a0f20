"""Two versions of the code, by the ratios of their benchmarks: has a change made something slower?

    python -m simulations.benchmarks.ratio_comparison --base base-*.json --head head-*.json --loss 0.2

Ratios are of two things from one run, so a slow machine and a fast one nearly agree on them; of several runs
of a version the median counts. Figures in milliseconds or seconds are left out: they are the machine's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from simulations.benchmarks.table_benchmark import AT_LEAST, AT_MOST

_UNITS = ("_ms", "_s", "_seconds")


@dataclass(frozen=True, slots=True)
class Change:
    """loss: share by which head is worse than base; negative where it is better. base, head: medians."""

    name: str
    base: float
    head: float
    loss: float


def ratio_names() -> dict[str, bool]:
    """Return which figures are ratios, and whether more is better."""
    names = dict.fromkeys(AT_LEAST, True) | dict.fromkeys(AT_MOST, False)
    return {name: more for name, more in names.items() if not name.endswith(_UNITS)}


def compare(base: Sequence[Mapping[str, Any]], head: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Compare two versions' reports, the worst change first. A ratio that one of them lacks is left out."""
    changes = []
    for name, more_is_better in ratio_names().items():
        before = [float(report[name]) for report in base if name in report]
        after = [float(report[name]) for report in head if name in report]
        if not before or not after:
            continue
        was, now = median(before), median(after)
        loss = (was - now) / was if more_is_better else (now - was) / was
        changes.append(Change(name, was, now, loss))
    return sorted(changes, key=lambda change: -change.loss)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table in Markdown; returns 1 where a ratio lost too much, 2 where none could be compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base", nargs="+", type=Path, required=True)
    parser.add_argument("--head", nargs="+", type=Path, required=True)
    parser.add_argument("--loss", type=float, default=0.2, help="share that a ratio may lose")
    given = parser.parse_args(arguments)
    changes = compare(_read(given.base), _read(given.head))
    if not changes:
        print("no ratio is in both reports", file=sys.stderr)
        return 2
    print("| ratio | base | head | loss |\n|---|---|---|---|")
    for change in changes:
        mark = " **too much**" if change.loss > given.loss else ""
        print(f"| {change.name} | {change.base:.3g} | {change.head:.3g} | {change.loss:+.0%}{mark} |")
    return int(any(change.loss > given.loss for change in changes))


def _read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read each file's last line, where `--json` puts the report."""
    return [json.loads(path.read_text().splitlines()[-1]) for path in paths]


if __name__ == "__main__":
    sys.exit(main())
