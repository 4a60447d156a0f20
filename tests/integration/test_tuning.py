"""What a trial tries and reports, and what becomes of the best one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from foryou.settings import load_settings
from learners.training_settings import TrainingSettings
from simulations.prepared_examples import write_batches
from simulations.tuning import (
    REPORTS,
    Trial,
    learn_in_parts,
    model_settings,
    settings_snippet,
    trials_table,
    with_model_settings,
)
from tests.training_batches import SETTINGS, batch_of

CONFIG = {
    "learning_rate": 0.1,
    "dense_learning_rate": 0.002,
    "content_dimension": 8,
    "hidden": "128-64",
}


def test_a_trial_reports_after_every_tenth(tmp_path: Path) -> None:
    batches = [
        batch_of([(user, user % 5) for user in range(start, start + 9)], [user % 2 == 0 for user in range(9)])
        for start in range(25)
    ]
    write_batches(tmp_path / "log.examples", batches)
    reports = list(learn_in_parts(tmp_path / "log.examples", SETTINGS))
    assert len(reports) == REPORTS
    last = reports[-1]
    assert last["score"] == pytest.approx((last["auc_click"] + last["auc_long_view"]) / 2, nan_ok=True)


def test_the_rates_of_slots_keep_their_proportion() -> None:
    training = TrainingSettings()
    tried = with_model_settings(training, CONFIG).model
    scale = 0.1 / training.model.learning_rate
    for slot, rate in training.model.slot_learning_rates.items():
        assert tried.slot_learning_rates[slot] == pytest.approx(rate * scale)
    assert tried.hidden == (128, 64)
    assert (
        with_model_settings(training, CONFIG | {"hidden": "as it is"}).model.hidden == training.model.hidden
    )


def test_the_best_settings_can_be_used_as_they_are_written(tmp_path: Path) -> None:
    trial = Trial(model_settings(CONFIG, TrainingSettings()), 0.71, 0.7, 0.72, 1.0)
    (tmp_path / "foryou.toml").write_text(settings_snippet(trial))
    model = load_settings(tmp_path / "foryou.toml", environment={}).training.model
    assert model.learning_rate == pytest.approx(0.1)
    assert model.hidden == (128, 64)
    assert tomllib.loads(settings_snippet(trial))["training"]["model"]["content_dimension"] == 8
    assert "| 0.7100 | 0.7000 | 0.7200 | 100% |" in trials_table([trial])
