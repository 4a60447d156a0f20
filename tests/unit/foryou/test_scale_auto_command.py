"""The number of shards follows their bytes, not in haste; a learner that falls behind is told."""

from __future__ import annotations

from typing import Any

from foryou.scale_auto_command import load_of, run_scale_auto
from monitoring.scaling_policy import ScalingSettings

SETTINGS = ScalingSettings(least=1, most=4, each=100.0, grow_after=20.0, shrink_after=60.0)


class System:
    """Holds `num_bytes` on `shards`, joins and learns so many rows between two questions."""

    def __init__(self, num_bytes: int, shards: int = 1, *, joins: int = 10, learns: int = 10) -> None:
        self.num_bytes = num_bytes
        self.shards = shards
        self.rates = (joins, learns)
        self.counts = [0, 0]
        self.now = 0.0
        self.asked_for: list[int] = []

    def scale(self, shards: int) -> None:
        self.asked_for.append(shards)
        self.shards = shards

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.counts = [count + rate for count, rate in zip(self.counts, self.rates, strict=True)]

    def status(self) -> dict[str, Any]:
        tables = {"content": {"bytes": self.num_bytes // self.shards, "rows": 1}}
        shard = {"running": True, "groups": {"production": {"tables": tables}}}
        joined, learned = self.counts
        return {
            "partitions": {"0": {"feed": learned}},
            "workers": {
                "joiner": {"running": True, "examples": joined, "positions": {"0": joined, "1": 0}},
                "learner": {"running": True, "examples": learned},
                **{f"shard-{number}": shard for number in range(self.shards)},
                "shard-9": {"running": False, "failure": "no answer"},
            },
        }


def follow(system: System, seconds: float) -> dict[str, Any]:
    return run_scale_auto(
        system, system.scale, SETTINGS, seconds=seconds, clock=lambda: system.now, sleep=system.sleep
    )


def test_shards_grow_with_their_bytes_after_a_while_and_once() -> None:
    system = System(num_bytes=290)
    report = follow(system, seconds=120.0)
    assert system.asked_for == [3]
    assert (report["shards"], report["changes"]) == (3, 1)


def test_a_system_that_fits_is_left_alone() -> None:
    system = System(num_bytes=95)
    assert follow(system, seconds=120.0)["changes"] == 0


def test_shards_that_hold_little_for_long_become_fewer() -> None:
    system = System(num_bytes=90, shards=3)
    follow(system, seconds=120.0)
    assert system.asked_for == [1]


def test_a_learner_that_falls_behind_is_told() -> None:
    assert follow(System(50), seconds=60.0)["learner_keeps_pace"]
    behind = follow(System(50, joins=100, learns=10), seconds=60.0)
    assert not behind["learner_keeps_pace"]
    assert behind["waiting"] == 540


def test_a_shard_that_gave_no_answer_is_no_shard_to_count() -> None:
    assert load_of(System(100, shards=2).status()).shards == 2
