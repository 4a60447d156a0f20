"""`foryou watch`: look at a system for a while after a change, and say whether it is worse than before."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np

from foryou.client import ApiError
from foryou.config_import_keys import seconds_of
from foryou.watch_samples import StatusReadings, rules_against
from monitoring.alert_rules import AlertEvaluator, AlertState

_SUFFIXES = {"s": 1.0, "m": 60.0, "h": 3_600.0}


class WatchError(Exception):
    """A span of time that is none, a file of before that cannot be read, or a system that never answered."""


class Watched(Protocol):
    """What is asked: `foryou.client.Client`, or a test's own."""

    def health(self) -> dict[str, Any]: ...

    def status(self) -> dict[str, Any]: ...


def seconds_of_span(text: str) -> float:
    """Return the seconds of 15m, 90s, 2h or "15 minutes". Raises WatchError."""
    try:
        number, unit = text[:-1].strip(), text[-1:]
        if unit in _SUFFIXES and number.replace(".", "", 1).isdigit():
            return float(number) * _SUFFIXES[unit]
        return seconds_of(text)
    except ValueError as error:
        raise WatchError(f"{text!r} is no span of time; write 15m, 90s or 2h") from error


def read_before(path: Path | None) -> dict[str, float]:
    """Return what a former watch saved; empty without one. Raises WatchError."""
    if path is None:
        return {}
    try:
        means = json.loads(path.read_text())
        return {str(name): float(value) for name, value in means.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise WatchError(f"{path} holds no means of a former watch: {error}") from error


def watch(
    system: Watched,
    *,
    seconds: float,
    every_seconds: float = 5.0,
    window_seconds: float = 60.0,
    before: dict[str, float] | None = None,
    until_alert: bool = False,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask for `seconds` and return a flat report: `alerts`, and each figure's mean beside that of before.

    until_alert: end with the first alert. A figure counts once a window of it is worse, not one reading.
    Raises WatchError where no answer came at all.
    """
    before = before or {}
    evaluator = AlertEvaluator(rules_against(before, window_seconds))
    readings = StatusReadings()
    seen: dict[str, list[float]] = defaultdict(list)
    alerts: list[str] = []
    end = clock() + seconds
    heard_at = clock() + min(window_seconds, seconds) / 2
    while (now := clock()) < end:
        figures = _ask(system, readings, clock)
        for name, value in figures.items():
            seen[name].append(value)
        evaluator.add(now, figures)
        if now >= heard_at:
            changes = evaluator.evaluate(now)
            alerts += [change.words() for change in changes if change.state is AlertState.FIRING]
        say(f"{end - now:.0f} s to go" + (f", alerts: {'; '.join(alerts)}" if alerts else ""))
        if alerts and until_alert:
            break
        sleep(every_seconds)
    if len(seen) < 2:
        raise WatchError("the system gave no answer")
    means = {name: float(np.mean(values)) for name, values in sorted(seen.items())}
    report: dict[str, Any] = {
        "ok": not alerts,
        "alerts": "; ".join(alerts),
        "readings": len(seen["unanswered"]),
    }
    for name, mean in means.items():
        report[name] = round(mean, 5)
        if name in before:
            report[f"{name}_before"] = round(before[name], 5)
    return report


def means_of(report: dict[str, Any]) -> dict[str, float]:
    """Return the means of a report, as `--save` writes them and `--against` reads them."""
    said = ("ok", "alerts", "readings")
    return {
        name: value for name, value in report.items() if name not in said and not name.endswith("_before")
    }


def _ask(system: Watched, readings: StatusReadings, clock: Callable[[], float]) -> dict[str, float]:
    """Ask once. A system that does not answer, or says that it is not ready, is a reading too."""
    asked = clock()
    try:
        is_ready = bool(system.health()["ready"])
        answered = clock()
        figures = readings.read(system.status())
    except (ApiError, httpx.HTTPError):
        return {"unanswered": 1.0}
    return {"unanswered": 0.0 if is_ready else 1.0, "health_ms": (answered - asked) * 1e3, **figures}
