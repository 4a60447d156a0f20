"""A watch finds what is worse than before, whatever else goes on, and is not alarmed by one odd reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foryou.client import ApiError
from foryou.watch_command import WatchError, means_of, read_before, seconds_of_span, watch
from foryou.watch_samples import StatusReadings, rules_against


class Clock:
    """Passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class System:
    """Answers as told: `at` changes its figures from a reading on."""

    def __init__(self, **figures: Any) -> None:
        self.figures = {"age": 0.1, "joined": 0.9, "auc": 0.72, "running": True, "up": True, **figures}
        self.later: dict[int, dict[str, Any]] = {}
        self.num_readings = 0
        self.examples = 0
        self.joined = 0.0

    def at(self, reading: int, **figures: Any) -> System:
        self.later[reading] = figures
        return self

    def health(self) -> dict[str, Any]:
        self.num_readings += 1
        self.figures |= self.later.get(self.num_readings, {})
        if not self.figures["up"]:
            raise ApiError("503")
        return {"ready": True}

    def status(self) -> dict[str, Any]:
        self.examples += 100
        self.joined += 100 * self.figures["joined"]
        return {
            "model": {"age_seconds": self.figures["age"]},
            "workers": {
                "joiner": {
                    "running": True, "examples": self.examples, "joined": self.joined, "dead_letters": 0,
                },
                "learner": {
                    "running": self.figures["running"],
                    "validation": {"all": {"engage": {"auc": self.figures["auc"]}}},
                },
            },
        }  # fmt: skip


def look(system: System, **options: Any) -> dict[str, Any]:
    clock = Clock()
    return watch(system, **{"seconds": 300.0, "clock": clock, "sleep": clock.sleep, **options})


def test_a_system_that_is_as_before_is_well() -> None:
    before = means_of(look(System()))
    report = look(System(), before=before)
    assert report["ok"]
    assert report["join_rate"] == report["join_rate_before"] == 0.9
    assert report["readings"] == 60


@pytest.mark.parametrize(
    ("worse", "metric"),
    [
        ({"up": False}, "unanswered"),
        ({"running": False}, "workers_down"),
        ({"age": 60.0}, "model_age_seconds"),
        ({"joined": 0.5}, "join_rate"),
        ({"auc": 0.6}, "engage_auc"),
    ],
)
def test_what_is_worse_than_before_is_an_alert_by_its_name(worse: dict[str, Any], metric: str) -> None:
    before = means_of(look(System()))
    report = look(System().at(20, **worse), before=before)
    assert not report["ok"]
    assert metric in report["alerts"]


def test_better_is_no_alert() -> None:
    before = means_of(look(System()))
    assert look(System(joined=0.99, auc=0.8, age=0.01), before=before)["ok"]


def test_one_odd_reading_is_no_alert() -> None:
    before = means_of(look(System()))
    assert look(System().at(30, auc=0.5).at(31, auc=0.72), before=before)["ok"]


def test_without_a_before_only_what_holds_always_is_judged() -> None:
    assert look(System(joined=0.1, auc=0.3))["ok"]
    assert not look(System(age=100.0))["ok"]


def test_the_first_alert_can_end_it() -> None:
    system = System().at(20, running=False)
    assert not look(system, until_alert=True)["ok"]
    assert system.num_readings < 60


def test_a_system_that_never_answers_is_told() -> None:
    with pytest.raises(WatchError, match="no answer"):
        look(System(up=False))


def test_a_part_that_restarted_counts_from_there() -> None:
    readings = StatusReadings()
    system = System()
    readings.read(system.status())
    assert readings.read(system.status())["join_rate"] == pytest.approx(0.9)
    system.examples, system.joined = 0, 0.0
    assert "join_rate" not in readings.read(system.status())
    assert readings.read(system.status())["join_rate"] == pytest.approx(0.9)


def test_kpis_of_the_day_become_those_of_the_time_between() -> None:
    def status(impressions: int, rate: float, latency: float | None) -> dict[str, Any]:
        kpis = {
            "segments": {"all": {"impressions": impressions, "click_through_rate": rate}},
            "models": {"a": {"latency_p95_ms": latency}, "b": {"latency_p95_ms": 3.0}},
        }
        return {"model": {"age_seconds": None}, "workers": {"models": {"running": True, "kpis": kpis}}}

    readings = StatusReadings()
    assert "click_through_rate" not in readings.read(status(100, 0.5, None))
    figures = readings.read(status(200, 0.4, 7.0))
    assert figures["click_through_rate"] == pytest.approx(0.3)
    assert figures["latency_p95_ms"] == 7.0


def test_limits_are_to_the_side_that_is_worse() -> None:
    rules = {rule.name: rule for rule in rules_against({"engage_auc": 0.7, "latency_p95_ms": 100.0})}
    assert rules["engage_auc"].threshold == pytest.approx(0.68)
    assert rules["engage_auc"].above is False
    assert rules["latency_p95_ms"].threshold == pytest.approx(150.0)
    assert "join_rate" not in rules


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900.0), ("90s", 90.0), ("2h", 7_200.0), ("15 minutes", 900.0)]
)
def test_spans_are_written_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of_span(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "soon", "15x"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(WatchError, match="no span"):
        seconds_of_span(text)


def test_before_is_what_a_former_watch_saved(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    file.write_text(json.dumps(means_of(look(System()))))
    assert read_before(file)["join_rate"] == 0.9
    assert read_before(None) == {}
    file.write_text("[]")
    with pytest.raises(WatchError, match=r"before\.json"):
        read_before(file)
