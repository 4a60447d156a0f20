"""Settings come from file, environment and flags, in that order, and a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from foryou.settings import SettingsError, SystemSettings, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "foryou.toml"
    path.write_text('namespace = "shop"\n[http]\nport = 8001\n[joiner]\nhorizon_seconds = 60\n')
    return path


def test_the_defaults_are_a_laptop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environment={})
    assert settings == SystemSettings()
    assert settings.http.host == "127.0.0.1"


def test_the_environment_beats_the_file_and_flags_beat_both(file: Path) -> None:
    environment = {"FORYOU_HTTP__PORT": "8002", "FORYOU_SHARDS__COUNT": "3", "PATH": "/bin"}
    settings = load_settings(file, {"http": {"port": 8003}}, environment)
    assert settings.namespace == "shop"
    assert settings.joiner.horizon_seconds == 60
    assert settings.shards.count == 3
    assert settings.http.port == 8003
    assert load_settings(file, environment=environment).http.port == 8002


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FORYOU_HTTP__PROT", "1", r"http\.prot \(from the environment\): there is no such setting"),
        (
            "FORYOU_HTTP__PORT",
            "many",
            r"http\.port \(from the environment\): Input should be a valid integer",
        ),
        ("FORYOU_SHARDS__COUNT", "0", r"shards\.count .*greater than or equal to 1"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_where_it_was_set(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(environment={name: value})


def test_a_wrong_key_in_a_file_names_the_file(file: Path) -> None:
    file.write_text("[http]\nhots = 'x'\n")
    with pytest.raises(SettingsError, match=r"http\.hots \(from .*foryou\.toml\)"):
        load_settings(file, environment={})


def test_a_file_that_is_missing_or_no_toml_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no settings file"):
        load_settings(tmp_path / "none.toml", environment={})
    broken = tmp_path / "broken.toml"
    broken.write_text("[http\n")
    with pytest.raises(SettingsError, match="is no TOML"):
        load_settings(broken, environment={})


def test_parts_are_placed_only_where_the_settings_say_so() -> None:
    assert load_settings(environment={}).placement.of_replica() == {}
    placed = load_settings(environment={"FORYOU_PLACEMENT__SERVING": "serving"}).placement
    assert placed.of_replica() == {"resources": {"serving": 1.0}}
