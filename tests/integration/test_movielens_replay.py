"""Files in MovieLens' layouts, replayed end to end in one process."""

from pathlib import Path
from typing import Any

import pytest

from foryou.replay_command import ReplayError, run_replay_command
from foryou.settings import SystemSettings, with_changes
from learners.joiner import JoinerSettings
from learners.ranking_model import RankingModelSettings
from learners.training_settings import TrainingSettings
from simulations.datasets import open_log
from simulations.in_process import InProcessSettings
from simulations.in_process_replay import compare_in_process, replay_in_process
from tests.unit.simulations.movielens_files import START, write_100k, write_latest

DAY = 86_400


def test_a_replay_of_movielens_learns_tastes(tmp_path: Path) -> None:
    log = open_log("movielens", write_100k(tmp_path, num_ratings=3_000), window_rows=64)
    report = replay_in_process(log, training=TrainingSettings(), joiner=JoinerSettings())
    assert report.rows == 3_000
    assert report.auc_click > 0.6


def test_a_stretch_can_be_replayed_under_other_settings(tmp_path: Path) -> None:
    log = open_log("movielens", write_latest(tmp_path), start=START + 3 * DAY, end=START + 20 * DAY)
    lazy = TrainingSettings(model=RankingModelSettings(learning_rate=1e-6, dense_learning_rate=1e-7))
    report = compare_in_process(log, logged=InProcessSettings(), candidate=InProcessSettings(training=lazy))
    assert 500 < report["rows"] < 1_500
    assert report["difference_auc_click"] == pytest.approx(
        report["candidate_auc_click"] - report["logged_auc_click"]
    )
    same = compare_in_process(log, logged=InProcessSettings(), candidate=InProcessSettings())
    assert same["difference_auc_click"] == 0
    assert report["logged_auc_click"] == same["logged_auc_click"]


def test_a_candidates_settings_are_compared_by_the_command(tmp_path: Path) -> None:
    folder = write_100k(tmp_path, num_ratings=400)
    logged = with_changes(SystemSettings(), {"batching": {"max_rows": 32}})
    lazy = with_changes(logged, {"training": {"model": {"learning_rate": 1e-6, "dense_learning_rate": 1e-7}}})

    def compare(**options: Any) -> dict[str, Any]:
        return run_replay_command(
            logged, dataset="movielens", path=folder, speed="max", candidate=lazy, **options
        )

    report = compare(in_process=True, start=str(START), end=str(START + 3 * DAY))
    assert 0 < report["rows"] < 400
    assert report["difference_auc_click"] != 0
    with pytest.raises(ReplayError, match="--in-process"):
        compare(in_process=False)
    with pytest.raises(ReplayError, match="--limit"):
        compare(in_process=True, limit=0)
    with pytest.raises(ReplayError, match="holds no row from 2030-01-01"):
        compare(in_process=True, start="2030-01-01")
