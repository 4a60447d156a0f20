import json

import pytest
from pydantic import ValidationError

from foryou.experiment_aa_command import (
    SignificanceBrokenError,
    check_promises,
    run_experiment_aa_command,
)


def test_reports_false_alarms_and_power_flat() -> None:
    report = run_experiment_aa_command(experiments=20, lift=0.15)
    assert report["experiments"] == 20
    assert {"false_alarm_rate", "power", "seconds"} <= set(report)
    json.dumps(report, allow_nan=False)
    check_promises({**report, "false_alarm_rate": 0.02, "power": 0.9})


@pytest.mark.parametrize(
    ("changes", "problem"), [({"false_alarm_rate": 0.2}, "false"), ({"power": 0.3}, "power")]
)
def test_names_the_promise_that_is_broken(changes: dict[str, float], problem: str) -> None:
    with pytest.raises(SignificanceBrokenError, match=problem):
        check_promises({"false_alarm_rate": 0.01, "power": 0.9, "alpha": 0.05, **changes})


def test_refuses_a_chance_that_is_none() -> None:
    with pytest.raises(ValidationError):
        run_experiment_aa_command(alpha=2.0)
