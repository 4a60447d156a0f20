"""Serve's own configuration files reach the same deployment as `foryou deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foryou import serve_application
from foryou.settings import SettingsError, SystemSettings


@pytest.fixture
def brought_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[SystemSettings, str]]:
    calls: list[tuple[SystemSettings, str]] = []

    def bring_up(settings: SystemSettings, *, revision: str) -> tuple[None, str, bool]:
        calls.append((settings, revision))
        return None, "the application", True

    monkeypatch.setattr(serve_application, "bring_up", bring_up)
    return calls


def test_the_application_is_built_by_the_file_that_the_arguments_name(
    tmp_path: Path, brought_up: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "foryou.toml"
    file.write_text("[http]\nreplicas = 3\n")
    monkeypatch.setenv("FORYOU_SERVICES__NATS_URL", "nats://broker")
    assert serve_application.build({"config": str(file), "revision": "7"}) == "the application"
    ((settings, revision),) = brought_up
    assert (settings.http.replicas, settings.services.nats_url, revision) == (3, "nats://broker", "7")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, brought_up: list[Any]) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml"):
        serve_application.build({"config": str(tmp_path / "none.toml")})
    assert brought_up == []
