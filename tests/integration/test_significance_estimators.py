import pytest

from simulations.estimator_coverage import ESTIMATORS, CoverageSettings, estimator_coverage


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_hold_the_simulated_truth_about_as_often_as_they_say(seed: int) -> None:
    report = estimator_coverage(CoverageSettings(runs=200, seed=seed))
    for estimator in ESTIMATORS:
        assert 0.90 <= report[f"{estimator}_coverage"] <= 0.99
    assert report["snips_width"] < report["ips_width"]
    assert report["dr_width"] < report["ips_width"]
