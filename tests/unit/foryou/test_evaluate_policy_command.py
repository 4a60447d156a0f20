import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foryou.evaluate_policy_command import EvaluationError, run_evaluate_policy_command

ITEMS = 4
CLICK_RATES = np.array([0.1, 0.2, 0.3, 0.6])


def open_bandit_file(path: Path, chances: np.ndarray, seed: int, n: int = 4_000) -> Path:
    """A log in the columns of the Open Bandit Dataset, of a policy that picks items by `chances`."""
    generator = np.random.default_rng(seed)
    items = generator.choice(ITEMS, size=n, p=chances)
    items[:ITEMS] = np.arange(ITEMS)
    clicks = (generator.random(n) < CLICK_RATES[items]).astype(int)
    pd.DataFrame(
        {"item_id": items, "position": 1, "click": clicks, "propensity_score": chances[items]}
    ).to_csv(path, index=False)
    return path


def test_evaluates_the_uniform_policy_on_another_ones_log(tmp_path: Path) -> None:
    log = open_bandit_file(tmp_path / "bts.csv", np.array([0.1, 0.2, 0.3, 0.4]), seed=0)
    own = open_bandit_file(tmp_path / "random.csv", np.full(ITEMS, 0.25), seed=1)
    report = run_evaluate_policy_command(log, target="uniform", own_log=own)
    assert report["ips_low"] <= CLICK_RATES.mean() <= report["ips_high"]
    assert report["snips_agrees_with_own"]
    assert report["snips_gain_high"] < 0  # the logging policy shows the better items more often


def test_the_logging_policy_is_worth_what_it_earned(tmp_path: Path) -> None:
    log = open_bandit_file(tmp_path / "log.csv", np.array([0.1, 0.2, 0.3, 0.4]), seed=2)
    report = run_evaluate_policy_command(log, target="logged")
    for estimator in ("ips", "snips"):
        assert report[f"{estimator}_low"] <= report["logged_value"] <= report[f"{estimator}_high"]
        assert report[f"{estimator}_value"] == pytest.approx(report["logged_value"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_reads_a_log_of_its_own_with_a_reward_model_and_persons(tmp_path: Path, suffix: str) -> None:
    generator = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "reward": generator.integers(0, 2, 50),
            "propensity": 0.5,
            "target_propensity": generator.uniform(0, 1, 50),
            "user": [f"u{k % 9}" for k in range(50)],
            "predicted_reward": 0.5,
            "predicted_value": 0.5,
        }
    )
    path = tmp_path / f"log{suffix}"
    if suffix == ".csv":
        frame.to_csv(path)
    else:
        frame.to_parquet(path)
    report = run_evaluate_policy_command(path)
    assert report["rows"] == 50
    assert report["dr_low"] < report["dr_value"] < report["dr_high"]


@pytest.mark.parametrize(
    ("columns", "target", "problem"),
    [
        ({"reward": [1, 0]}, "column", "needs the columns"),
        ({"reward": [1, 0], "propensity": [0.5, 0.5]}, "column", "no column target_propensity"),
        ({"reward": [1, 0], "propensity": [0.5, 0.5]}, "uniform", "how many items"),
        ({"reward": ["x", 0], "propensity": [0.5, 0.5]}, "logged", "no number"),
        ({"reward": [1, 0], "propensity": [0.0, 0.5]}, "logged", r"\(0, 1\]"),
        (
            {"item_id": [0, 1], "position": [1, 1], "click": [0, 1], "propensity_score": [0.5, 0.5]},
            "column",
            "ask for uniform or logged",
        ),
    ],
)
def test_says_what_is_wrong_with_a_log(
    tmp_path: Path, columns: dict[str, list[object]], target: str, problem: str
) -> None:
    path = tmp_path / "log.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    with pytest.raises(EvaluationError, match=problem):
        run_evaluate_policy_command(path, target=target)  # type: ignore[arg-type]


def test_says_that_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"nowhere\.csv"):
        run_evaluate_policy_command(tmp_path / "nowhere.csv")


def test_reads_a_log_inside_a_wheel(tmp_path: Path) -> None:
    log = open_bandit_file(tmp_path / "log.csv", np.full(ITEMS, 0.25), seed=3)
    with zipfile.ZipFile(tmp_path / "logs.whl", "w") as wheel:
        wheel.write(log, "obd/random/log.csv")
    inside = run_evaluate_policy_command(
        tmp_path / "logs.whl" / "obd" / "random" / "log.csv", target="logged"
    )
    assert inside == run_evaluate_policy_command(log, target="logged")
    with pytest.raises(EvaluationError, match="no item"):
        run_evaluate_policy_command(tmp_path / "logs.whl" / "other.csv")
