"""The specification's TOML becomes settings; what becomes none is named with its reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from foryou.cli import app
from foryou.config_import import ConfigImportError, import_config, run_config_import, write_toml
from foryou.config_import_keys import KEYS, ROOT, Setting, Unused, seconds_of
from foryou.settings import load_settings

README = Path(__file__).parents[3] / "deploy" / "azure" / "README.md"
GIVEN: dict[str, str] = {
    "online_training.training_trigger.frequency": '"per event"',
    "partial_model_updates.update_parameters.time_trigger": '"every minute"',
    "partial_model_updates.update_parameters.run_on_change": "true",
    "additional_services.data_ingestion.event_hub_namespace": '"EventHubNamespace"',
    "additional_services.ai_model.training_parameters.learning_rate": "0.01",
    "additional_services.ai_model.training_parameters.batch_size": "512",
    "additional_services.integration.message_bus_parameters.message_retention": '"7 days"',
}


def layout(**changes: str) -> str:
    """A file with every key of the specification, one table a key's section; changes: TOML values by key."""
    lines = []
    for key in KEYS:
        section, _, name = f"{ROOT}.{key}".rpartition(".")
        lines.append(f"{section}.{name} = {changes.get(key, GIVEN.get(key, '1'))}")
    return "\n".join(lines)


def test_every_key_is_used_or_named_with_a_reason() -> None:
    imported = import_config(layout())
    keys = {f"{ROOT}.{key}" for key in KEYS}
    assert imported.used.keys() | imported.unused.keys() == keys
    assert not imported.used.keys() & imported.unused.keys()
    assert all(imported.unused.values())
    assert imported.repairs == []


def test_the_specifications_values_become_these_settings(tmp_path: Path) -> None:
    file = tmp_path / "foryou.toml"
    file.write_text(write_toml(import_config(layout()), "roadmap.toml"))
    settings = load_settings(file, environment={})
    assert settings.namespace == "eventhubnamespace"
    assert settings.batching.max_rows == 512
    assert settings.training.model.dense_learning_rate == 0.01
    assert settings.streams.max_age_seconds == 7 * 86_400
    assert settings.sync.every_seconds == 0.1
    assert "# recommender_system.cicd.cicd_tool: " in file.read_text()


def test_a_sync_that_does_not_run_on_change_waits_for_its_trigger() -> None:
    imported = import_config(layout(**{"partial_model_updates.update_parameters.run_on_change": "false"}))
    assert imported.settings["sync"]["every_seconds"] == 60
    assert f"{ROOT}.partial_model_updates.update_parameters.run_on_change" in imported.unused


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('batch _training = "slowly"', "'batch _training' is read as 'batch_training'"),
        ("[recommender_system.batch _training]", "'recommender_system.batch _training' is read as"),
        ("  [recommender_system.batch _training]  # batches", "'recommender_system.batch_training'"),
    ],
)
def test_a_name_with_a_space_in_it_is_mended_and_said_so(line: str, said: str) -> None:
    text = f"[{ROOT}.additional_services.descriptions]\n{line}\n"
    (repair,) = import_config(text).repairs
    assert said in repair
    assert repair.startswith("line 2:")


def test_sound_files_are_read_as_they_are() -> None:
    text = f'[{ROOT}.cicd]\ncicd_tool = """\nbatch _training = "no key"\n"""\n'
    assert import_config(text).repairs == []


def test_a_key_that_the_specification_does_not_have_is_named() -> None:
    imported = import_config(f"[{ROOT}]\nvelocity = 3\n")
    assert imported.unused == {f"{ROOT}.velocity": "is no key of the specification"}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("additional_services.ai_model.training_parameters.batch_size", '"many"', "no number"),
        ("additional_services.ai_model.training_parameters.batch_size", "0", r"batching\.max_rows"),
        ("additional_services.integration.message_bus_parameters.message_retention", '"long"', "7 days"),
        ("partial_model_updates.update_parameters.run_on_change", '"yes"', "true or false"),
        ("additional_services.data_ingestion.event_hub_namespace", '"///"', "no letter"),
    ],
)
def test_a_value_that_no_setting_takes_is_refused_by_its_key(key: str, value: str, said: str) -> None:
    with pytest.raises(ConfigImportError, match=f"(?s){re.escape(key)}.*{said}"):
        import_config(layout(**{key: value}))


@pytest.mark.parametrize(
    ("text", "said"), [("= 1", "is no TOML"), ("[other]\na = 1\n", "no table .recommender_system.")]
)
def test_another_file_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigImportError, match=said):
        import_config(text)


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    source, target = tmp_path / "roadmap.toml", tmp_path / "foryou.toml"
    source.write_text(layout())
    target.write_text("")
    with pytest.raises(ConfigImportError, match="--force"):
        run_config_import(source, target)
    report = run_config_import(source, target, force=True)
    assert report["used"] + report["not_used"] == len(KEYS)
    assert tomllib.loads(target.read_text())["batching"]["max_rows"] == 512
    with pytest.raises(ConfigImportError, match="cannot be read"):
        run_config_import(tmp_path / "none.toml", target, force=True)


def test_the_command_reports_every_key(tmp_path: Path) -> None:
    source, target = tmp_path / "roadmap.toml", tmp_path / "foryou.toml"
    source.write_text(layout())
    arguments = ["config", "import", str(source), "--out", str(target), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "-> streams.max_age_seconds" in result.stdout
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_the_readme_says_of_every_key_what_the_import_does() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", README.read_text(), re.MULTILINE))
    assert rows == {
        key: f"setting `{meaning.name}`" if isinstance(meaning, Setting) else meaning.reason
        for key, meaning in KEYS.items()
    }


def test_every_setting_of_the_table_exists() -> None:
    for meaning in KEYS.values():
        if isinstance(meaning, Unused):
            continue
        value: Any = load_settings(environment={})
        for part in meaning.name.split("."):
            value = getattr(value, part)


@given(st.integers(1, 1_000), st.sampled_from(["second", "minute", "hour", "day", "week"]))
def test_spans_of_time_are_read_with_and_without_words_around_them(number: int, unit: str) -> None:
    seconds = seconds_of(f"{number} {unit}s")
    assert seconds == seconds_of(f"every {number} {unit}") == number * seconds_of(f"per {unit}")
