"""What a schedule of retraining does with models, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foryou.models_command import ModelsError
from foryou.retrain_command import retrained_root, run_retrain_schedule, superseded_by
from foryou.settings import SystemSettings, load_settings


def settings_of(**flags: Any) -> SystemSettings:
    return load_settings(flags=flags, environment={})


def overview(**stages: str) -> dict[str, Any]:
    return {
        "models": [
            {"model_id": model_id.replace("_", "-"), "stage": stage} for model_id, stage in stages.items()
        ]
    }


def test_earlier_shadows_of_the_schedule_give_way_and_nothing_else_does() -> None:
    models = overview(
        retrained_20261101_000000="shadow",
        retrained_20261102_000000="canary",
        retrained_20261103_000000="shadow",
        retrained_20261104_000000="shadow",
        retrained_by_hand="shadow",
        other_20261101_000000="shadow",
    )
    changes = [
        {"model_id": "retrained-20261103-000000", "what": "canary to production"},
        {"model_id": "retrained-20261103-000000", "what": "production to shadow"},
    ]
    gone = superseded_by("retrained-20261104-000000", "retrained", models, changes)
    assert gone == ["retrained-20261101-000000"]


def test_retrained_models_lie_beside_the_snapshots(tmp_path: Path) -> None:
    local = settings_of(services={"state": str(tmp_path)})
    assert Path(retrained_root(local)) == tmp_path.resolve() / "snapshots" / "live-retrained"
    remote = settings_of(shards={"snapshots": "s3://bucket/models/"})
    assert retrained_root(remote) == "s3://bucket/models/live-retrained"


class InterruptedScheduleError(Exception):
    """Ends a schedule in a test."""


def test_a_run_that_fails_is_told_and_the_next_is_taken_on_time() -> None:
    now, told, slept = [0.0], list[dict[str, Any]](), list[float]()
    outcomes: list[dict[str, Any] | Exception] = [
        {"model_id": "one"}, ModelsError("nothing runs"), {"model_id": "three"},
    ]  # fmt: skip

    def retrain() -> dict[str, Any]:
        now[0] += 10.0
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        if not outcomes:
            raise InterruptedScheduleError

    with pytest.raises(InterruptedScheduleError):
        run_retrain_schedule(retrain, 100.0, told.append, clock=lambda: now[0], sleep=sleep)
    assert told == [{"model_id": "one"}, {"failure": "nothing runs"}, {"model_id": "three"}]
    assert slept == [90.0, 90.0, 90.0]


def test_runs_that_take_longer_than_the_time_between_follow_each_other() -> None:
    now, runs = [0.0], list[float]()

    def retrain() -> dict[str, Any]:
        runs.append(now[0])
        now[0] += 30.0
        return {}

    def sleep(seconds: float) -> None:
        assert seconds == 0.0
        if len(runs) == 3:
            raise InterruptedScheduleError

    with pytest.raises(InterruptedScheduleError):
        run_retrain_schedule(retrain, 10.0, lambda _: None, clock=lambda: now[0], sleep=sleep)
    assert runs == [0.0, 30.0, 60.0]
