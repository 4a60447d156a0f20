"""A load in steps: one headless run of locust per number of people, until the system's knee is found.

A step is over the knee when its 95th percentile is more than `knee_factor` times the first step's and above
`knee_ms`, or when more than `max_failures` of its requests fail, or when more people bring less than 5% more
requests. Two such steps in a row end the run: one may be an accident.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_LEAST_GAIN = 1.05
_PATIENCE = 2
_GRACE_SECONDS = 30.0


class LoadSettings(BaseModel):
    """people: of each step. seconds: of each step, ramp included. watch_seconds: between two slates of one
    person, so n people ask for about n / watch_seconds feeds a second while the system keeps up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: tuple[int, ...] = (5, 10, 20, 40, 80, 160, 320, 640)
    seconds: float = Field(default=15.0, ge=2)
    slate: int = Field(default=10, ge=1, le=100)
    watch_seconds: float = Field(default=0.2, ge=0)
    knee_factor: float = Field(default=5.0, gt=1)
    knee_ms: float = Field(default=50.0, gt=0)
    max_failures: float = Field(default=0.01, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class LoadStep:
    """requests_per_s: both kinds. feed_*: of GET /v1/feed; milliseconds. failures: share of all requests."""

    people: int
    requests_per_s: float
    feeds_per_s: float
    feed_p50_ms: float
    feed_p95_ms: float
    feed_p99_ms: float
    events_p95_ms: float
    failures: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LoadMoment:
    """seconds: since the first. feed_*: of GET /v1/feed, milliseconds, over the last ten seconds."""

    seconds: float
    feeds_per_s: float
    failures_per_s: float
    feed_p50_ms: float
    feed_p95_ms: float


class LoadFailedError(Exception):
    """Locust is not installed, ended badly or measured nothing; the text is the end of what it said."""


RunStep = Callable[[int], LoadStep]


def find_knee(
    run: RunStep, settings: LoadSettings, tell: Callable[[LoadStep], None] = lambda _: None
) -> tuple[list[LoadStep], LoadStep | None]:
    """Run step after step; return all of them and the last good one, None where none was good."""
    steps: list[LoadStep] = []
    knee: LoadStep | None = None
    num_over = 0
    for people in settings.people:
        step = run(people)
        tell(step)
        if is_over(step, steps, settings):
            num_over += 1
        else:
            knee, num_over = step, 0
        steps.append(step)
        if num_over >= _PATIENCE:
            break
    return steps, knee


def is_over(step: LoadStep, before: Sequence[LoadStep], settings: LoadSettings) -> bool:
    """Say whether a step lies over the knee, given those before it."""
    if step.failures > settings.max_failures:
        return True
    if not before:
        return False
    slow = step.feed_p95_ms > max(settings.knee_factor * before[0].feed_p95_ms, settings.knee_ms)
    best = max(earlier.requests_per_s for earlier in before)
    return slow or step.requests_per_s < _LEAST_GAIN * best


def run_locust(
    host: str,
    people: int,
    settings: LoadSettings,
    tell: Callable[[list[LoadMoment]], None] = lambda _: None,
    key: str | None = None,
) -> LoadStep:
    """Run one step in a process of its own: locust patches sockets of the process it is in.

    tell: is given how it went, second by second. key: where the API asks for one; it goes by the environment,
    for others can read command lines. Raises LoadFailedError.
    """
    environment = {
        **os.environ,
        "FORYOU_LOAD_SLATE": str(settings.slate),
        "FORYOU_LOAD_WATCH": str(settings.watch_seconds),
    }
    if key is not None:
        environment["FORYOU_LOAD_KEY"] = key
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "step"
        command = [
            sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--host", host,
            "--users", str(people), "--spawn-rate", str(max(people / 2, 1)),
            "--run-time", f"{max(round(settings.seconds), 1)}s", "--csv", str(prefix),
            "--csv-full-history", "--only-summary", "--loglevel", "ERROR", "--exit-code-on-error", "0",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=settings.seconds + _GRACE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LoadFailedError(f"locust did not end: {error}") from error
        path = prefix.with_name("step_stats.csv")
        if done.returncode != 0 or not path.exists():
            raise LoadFailedError(
                (done.stderr or done.stdout)[-600:] or f"locust ended with {done.returncode}"
            )
        step = read_step(path, people)
        tell(read_moments(prefix.with_name("step_stats_history.csv")))
        return step


def read_step(path: Path, people: int) -> LoadStep:
    """Read locust's table of statistics. Raises LoadFailedError where nothing was asked."""
    with path.open(newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    total, feed, events = rows.get("Aggregated"), rows.get("GET /v1/feed"), rows.get("POST /v1/events")
    if total is None or feed is None or float(total["Request Count"]) == 0:
        raise LoadFailedError("no request was answered")
    return LoadStep(
        people=people,
        requests_per_s=float(total["Requests/s"]),
        feeds_per_s=float(feed["Requests/s"]),
        feed_p50_ms=float(feed["50%"]),
        feed_p95_ms=float(feed["95%"]),
        feed_p99_ms=float(feed["99%"]),
        events_p95_ms=float(events["95%"]) if events else 0.0,
        failures=float(total["Failure Count"]) / float(total["Request Count"]),
    )


def read_moments(path: Path) -> list[LoadMoment]:
    """Read locust's history of the feed, without the first seconds, in which nothing was answered yet."""
    with path.open(newline="") as file:
        feeds = [row for row in csv.DictReader(file) if row["Name"] == "GET /v1/feed"]
    rows = [row for row in feeds if row["50%"] not in ("N/A", "0")]
    return [
        LoadMoment(
            seconds=float(row["Timestamp"]) - float(rows[0]["Timestamp"]),
            feeds_per_s=float(row["Requests/s"]),
            failures_per_s=float(row["Failures/s"]),
            feed_p50_ms=float(row["50%"]),
            feed_p95_ms=float(row["95%"]),
        )
        for row in rows
    ]
