"""The hub syncs what replicas ask for, and nothing that nobody asks for any more."""

from __future__ import annotations

from typing import Any

import pytest

from actors import model_hub
from actors.connections import EndpointSettings
from actors.model_actor import ModelActorSettings
from actors.model_hub import ModelHub

ENDPOINTS = EndpointSettings(nats_url="nats://nowhere", store_url="redis://nowhere")


class SyncedModel:
    """Stands for a model actor that works."""

    def __init__(self, endpoints: EndpointSettings, shards: Any, settings: ModelActorSettings) -> None:
        self.settings = settings
        self.is_running = True

    def changes_after(self, counter: int, timeout_s: float) -> list[str]:
        return [f"{self.settings.row_group} after {counter}"]

    def status(self) -> dict[str, Any]:
        return {
            "running": self.is_running,
            "failure": None,
            "version": f"{self.settings.lineage}.1",
            "last_tick_ms": 1.0,
        }

    def stop(self) -> None:
        self.is_running = False


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(model_hub, "ModelActor", SyncedModel)
    monkeypatch.setattr(model_hub, "time", made)
    return made


def test_a_group_is_synced_from_when_it_is_first_asked_for(clock: Clock) -> None:
    hub = ModelHub(ENDPOINTS, [], ModelActorSettings())
    assert list(hub.status()["models"]) == ["production"]
    assert hub.changes_after(3, 0.0, "next") == ["next.a after 3"]
    assert hub.changes_after(0, 0.0, "production@b") == ["production.b after 0"]
    assert hub.changes_after(7, 0.0) == ["production.a after 7"]
    assert list(hub.status()["models"]) == ["production", "next", "production@b"]


def test_what_nobody_asks_for_ends_while_others_are_asked_for(clock: Clock) -> None:
    hub = ModelHub(ENDPOINTS, [], ModelActorSettings(), unasked_seconds=30.0)
    clock.now = 100.0
    assert list(hub.status()["models"]) == ["production"], "with no replica at all it goes on"
    hub.changes_after(0, 0.0, "next")
    assert list(hub.status()["models"]) == ["next"]
    hub.changes_after(0, 0.0, "production")
    assert list(hub.status()["models"]) == ["next", "production"]
