"""`foryou experiment aa`: try on simulated experiments what the sequential test promises."""

from __future__ import annotations

import math
import time
from typing import Any

from simulations.significance_experiment import SignificanceSettings, run_significance_experiments


class SignificanceBrokenError(RuntimeError):
    """The test does not keep its promises; the text says which."""


def run_experiment_aa_command(
    *, experiments: int = 1000, alpha: float = 0.05, lift: float = 0.05, seed: int = 0
) -> dict[str, Any]:
    """Report false_alarm_rate, power and what else is seen, flat. Takes about 35 s at 1,000 experiments.

    Raises pydantic's ValidationError for a setting out of range.
    """
    started = time.monotonic()
    settings = SignificanceSettings(num_experiments=experiments, alpha=alpha, lift=lift, seed=seed)
    report: dict[str, Any] = {
        name: None if math.isnan(value) else value  # JSON has no NaN
        for name, value in run_significance_experiments(settings).as_dict().items()
    }
    report["seconds"] = round(time.monotonic() - started, 2)
    return report


def check_promises(report: dict[str, Any], *, least_power: float = 0.8) -> None:
    """Raise SignificanceBrokenError where a false alarm is likelier than alpha, or the power too small."""
    if report["false_alarm_rate"] > report["alpha"]:
        raise SignificanceBrokenError(
            f"false alarms in {report['false_alarm_rate']:.3f} of the experiments, above {report['alpha']}"
        )
    if report["power"] < least_power:
        raise SignificanceBrokenError(f"power {report['power']:.3f}, below {least_power}")
