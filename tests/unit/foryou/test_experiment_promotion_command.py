"""The models of the experiment: one that guesses, and that of the settings, told as a change of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.model_groups import model_plan
from foryou.experiment_promotion_command import model_changes
from learners.ranking_model import RankingModelSettings
from learners.table_settings import TableSettings
from learners.training_settings import TrainingSettings


def changed(model: RankingModelSettings, changes: Mapping[str, Any]) -> RankingModelSettings:
    """As the API takes over what is other than production's, nested."""

    def over(old: Any, new: Any) -> Any:
        if not isinstance(old, dict) or not isinstance(new, dict):
            return new
        return old | {name: over(old.get(name), value) for name, value in new.items()}

    return RankingModelSettings.model_validate(over(model.model_dump(), changes))


def test_a_model_that_guesses_begins_large_and_hardly_learns() -> None:
    model = RankingModelSettings()
    guessing = changed(model, model_changes(model, 1e-4, 2.0))
    plan, own = (model_plan(TrainingSettings(model=one), 1).settings for one in (guessing, model))
    for name, slot in plan.slots.items():
        assert slot.initial_scale == 2.0
        assert slot.learning_rate == own.slots[name].learning_rate * 1e-4


def test_told_as_a_change_of_the_guessing_model_the_better_one_is_that_of_the_settings() -> None:
    model = RankingModelSettings(learning_rate=0.04, tables={"content": TableSettings(initial_scale=0.02)})
    guessing = changed(model, model_changes(model, 1e-4, 2.0))
    better = changed(guessing, model_changes(model, 1.0, None))
    assert model_plan(TrainingSettings(model=better), 1).settings == (
        model_plan(TrainingSettings(model=model), 1).settings
    )
