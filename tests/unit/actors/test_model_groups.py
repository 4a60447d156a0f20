"""What settings say of a slot's rows is what its table does."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.model_groups import model_plan
from foryou.settings import SettingsError, load_settings
from learners.table_settings import TableSettings
from parameter_server.settings import AdmissionSettings, SlotSettings

TOML = """
[training.model.tables.user]
admission = { min_count = 2, probability = 0.5 }
expire_after_seconds = 2_592_000
[training.model.tables.content]
optimizer = "rowwise_adagrad"
initial_scale = 0.1
clip = 2.0
max_rows = 1_000_000
"""


def test_tables_are_as_the_settings_file_names_them(tmp_path: Path) -> None:
    file = tmp_path / "foryou.toml"
    file.write_text(TOML)
    slots = model_plan(load_settings(file, environment={}).training, 4).settings.slots
    assert slots["user"].admission == AdmissionSettings(min_count=2, probability=0.5)
    assert slots["user"].expire_after_seconds == 2_592_000
    assert (slots["user"].optimizer, slots["user"].max_rows) == ("adagrad", None)
    assert (slots["content"].optimizer, slots["content"].initial_scale) == ("rowwise_adagrad", 0.1)
    assert (slots["content"].clip, slots["content"].max_rows) == (2.0, 1_000_000)
    assert slots["tag"].admission.admits_all


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training.model.tables.colour]\nmax_rows = 1", "no such slots"),
        ("[training.model.tables.user]\nmax_row = 1", "training.model.tables.user.max_row"),
        ("[training.model.tables.user]\nmax_rows = 0", "training.model.tables.user.max_rows"),
    ],
)
def test_what_no_table_can_be_is_refused_by_its_name(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "foryou.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(file, environment={})


def test_a_table_that_is_named_but_left_as_it_is_equals_one_that_is_not_named() -> None:
    fields = TableSettings.model_fields.keys()
    default = SlotSettings(dimension=1)
    for name in fields - {"admission"}:
        assert getattr(TableSettings(), name) == getattr(default, name), name
    assert TableSettings().admission.model_dump() == default.admission.model_dump()
