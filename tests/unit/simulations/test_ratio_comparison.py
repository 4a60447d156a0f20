"""A change that makes a ratio a fifth worse is found, whichever side is the good one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.benchmarks.ratio_comparison import compare, main, ratio_names

BASE = {"pull_vs_take": 0.6, "memory_ratio": 1.3, "restore_s": 2.0, "cores": 2}


def written(folder: Path, name: str, *reports: dict[str, float]) -> list[str]:
    paths = []
    for number, report in enumerate(reports):
        path = folder / f"{name}-{number}.json"
        path.write_text("warming up\n" + json.dumps(report) + "\n")
        paths.append(str(path))
    return paths


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (BASE, 0),
        (BASE | {"pull_vs_take": 0.5}, 0),
        (BASE | {"pull_vs_take": 0.47}, 1),
        (BASE | {"memory_ratio": 1.5}, 0),
        (BASE | {"memory_ratio": 1.6}, 1),
        (BASE | {"restore_s": 20.0}, 0),
        (BASE | {"pull_vs_take": 6.0, "memory_ratio": 1.0}, 0),
        ({"cores": 2.0}, 2),
    ],
)
def test_the_exit_code_says_whether_a_ratio_lost_more_than_a_fifth(
    tmp_path: Path, head: dict[str, float], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    base = written(tmp_path, "base", BASE)
    assert main(["--base", *base, "--head", *written(tmp_path, "head", head)]) == code
    assert ("too much" in capsys.readouterr().out) == (code == 1)


def test_one_odd_run_of_three_changes_nothing() -> None:
    odd = BASE | {"pull_vs_take": 0.1}
    assert all(change.loss == 0 for change in compare([BASE, odd, BASE], [BASE, BASE, odd]))


def test_what_is_measured_in_seconds_is_no_ratio() -> None:
    assert not any(name.endswith(("_ms", "_s")) for name in ratio_names())
    assert {"pull_vs_take", "memory_ratio"} <= ratio_names().keys()


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_worst_change_comes_first(pull: float, memory: float) -> None:
    losses = [
        change.loss for change in compare([BASE], [BASE | {"pull_vs_take": pull, "memory_ratio": memory}])
    ]
    assert losses == sorted(losses, reverse=True)
