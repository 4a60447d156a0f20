"""The steps of the journey, against an API that does what the rules would."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from simulations import promotion_journey
from simulations.promotion_journey import JourneyError, PromotionJourney

LEARNING = {"learning_rate": 0.05, "slot_learning_rates": {"content": 0.03}, "dense_learning_rate": 0.004}
STILL = {"learning_rate": 5e-6, "slot_learning_rates": {"content": 3e-6}, "dense_learning_rate": 4e-7}


class Rules:
    """Moves each model one stage on with every look at it, and keeps what was asked."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.stages: dict[str, str] = {}
        self.changes: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.next_stage = {"shadow": "canary", "canary": "production"}
        self.is_bad = False
        self.old_answers = 3
        """That still come from a replica that has not heard of the rollback."""
        self._stuck = stuck

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        body = json.loads(request.content) if request.content else None
        if request.method != "GET":
            self.asked.append((request.method, path, body))
        if path == "/v1/model-changes":
            return httpx.Response(200, json={"changes": self.changes})
        if path.startswith("/v1/feed/"):
            self.old_answers -= self.stages["better"] == "stopped"
            model_id = "better" if self.old_answers >= 0 else "production"
            return httpx.Response(200, json={"model": {"id": model_id, "version": "a.17"}})
        model_id = path.split("/")[3]
        if request.method == "PUT":
            self.stages[model_id] = "shadow"
        elif request.method == "POST":
            self.stages[model_id] = "canary"
        elif request.method == "PATCH":
            self.is_bad = True
        elif not self._stuck:
            self._go_on(model_id)
        verdict = {"stage": self.stages[model_id], "lineage": "a", "verdict": "wait: too few people yet"}
        return httpx.Response(200, json=verdict)

    def _go_on(self, model_id: str) -> None:
        stage = self.stages[model_id]
        goes_back = self.is_bad or (model_id == "worse" and stage == "canary")
        after = "stopped" if goes_back else self.next_stage.get(stage, stage)
        if after != stage:
            self.stages[model_id] = after
            why = [f"{stage} to {after}"]
            self.changes.append({"time": time.time(), "model_id": model_id, "by": "rules", "why": why})


class People:
    """Scroll until they are told to stop."""

    def __init__(self) -> None:
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        await self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()


def travel(rules: Rules, patience: float = 5.0, in_force: float | None = None) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        transport = httpx.MockTransport(rules.answer)
        async with httpx.AsyncClient(base_url="http://foryou", transport=transport) as http:
            journey = PromotionJourney(
                http,
                LEARNING,
                STILL,
                patience_seconds=patience,
                in_force_seconds=in_force,
                warm_up_seconds=0.0,
            )
            return (await journey.run(People())).as_dict()  # type: ignore[arg-type]

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion_journey, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(promotion_journey, "_ASK_SECONDS", 0.001)
    monkeypatch.setattr(promotion_journey, "_SURE_SECONDS", 0.05)


def test_every_step_is_timed_and_says_why() -> None:
    rules = Rules()
    report = travel(rules)
    steps = [
        "better_to_canary", "better_to_production", "worse_stopped", "bad_production_back",
        "rollback_in_force",
    ]  # fmt: skip
    assert [name for name in report if name.startswith("seconds_")] == [f"seconds_{step}" for step in steps]
    assert report["why_worse_stopped"] == "canary to stopped"
    assert report["why_bad_production_back"] == "production to stopped"
    assert rules.old_answers < 0, "asked until no answer came from the model that had lost its place"


def test_only_the_worse_model_is_moved_by_hand_and_production_is_made_bad_a_hundredfold() -> None:
    rules = Rules()
    travel(rules)
    assert [(method, path) for method, path, _ in rules.asked] == [
        ("PUT", "/v1/models/better"),
        ("PUT", "/v1/models/worse"),
        ("POST", "/v1/models/worse/canary"),
        ("PATCH", "/v1/models/better"),
    ]
    bad = rules.asked[-1][2]["settings"]["model"]
    assert bad["learning_rate"] == pytest.approx(5.0)
    assert bad["slot_learning_rates"] == {"content": pytest.approx(3.0)}


def test_what_does_not_come_about_says_what_the_rules_wait_for() -> None:
    with pytest.raises(JourneyError, match=r"better_to_canary .* too few people yet"):
        travel(Rules(stuck=True), patience=0.01)


def test_a_rollback_that_some_replica_never_hears_of_ends_the_journey() -> None:
    rules = Rules()
    rules.old_answers = 1_000_000
    with pytest.raises(JourneyError, match="better still answers"):
        travel(rules, in_force=0.3)
