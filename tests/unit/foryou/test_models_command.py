"""Settings of a candidate as they are written on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from foryou.models_command import ModelsError, nested, run_models_list
from foryou.settings import load_settings


def test_keys_step_into_sections_and_values_are_json_or_text() -> None:
    assert nested(["model.learning_rate=0.1", "model.hidden=[64, 32]", "guard.name=plain"]) == {
        "model": {"learning_rate": 0.1, "hidden": [64, 32]},
        "guard": {"name": "plain"},
    }


@pytest.mark.parametrize("change", ["model.learning_rate", "=1", "model..rate=1"])
def test_what_is_no_key_and_value_is_refused(change: str) -> None:
    with pytest.raises(ModelsError, match="KEY=VALUE"):
        nested([change])


def test_a_section_is_no_value() -> None:
    with pytest.raises(ModelsError, match="set as a value"):
        nested(["model=1", "model.rate=2"])


def test_where_nothing_runs_it_says_what_starts_it(tmp_path: Path) -> None:
    settings = load_settings(flags={"services": {"state": str(tmp_path)}}, environment={})
    with pytest.raises(ModelsError, match="foryou up"):
        run_models_list(settings)
