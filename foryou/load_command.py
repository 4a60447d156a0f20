"""`foryou load`: people that behave, in steps to the knee, or for a long time at one pace."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from foryou.client import key_headers
from foryou.console import progress_console
from simulations.load_plot import save_load_plot, save_soak_plot
from simulations.load_steps import (
    LoadFailedError,
    LoadMoment,
    LoadSettings,
    LoadStep,
    find_knee,
    run_locust,
)


class LoadError(ValueError):
    """The load cannot be run as asked, or failed; the text says why."""


def run_load_command(
    http_url: str,
    *,
    people: str | None = None,
    seconds: float = 15.0,
    watch_seconds: float = 0.2,
    soak: bool = False,
    report: Path = Path("load-report"),
    key: str | None = None,
) -> dict[str, Any]:
    """Load a running system and write load.png and load.json into `report`; soaked, also soak.png over time.

    people: of each step, "5,10,20"; soak: one step only, as long as `seconds` says. key: where the API asks
    for one. The answer has knee_* of the last good step (None where no step was good), steps, and report.
    Raises LoadError.
    """
    settings = _settings(people, seconds, watch_seconds)
    if soak and len(settings.people) != 1:
        raise LoadError("--soak runs one number of people: --people 50")
    _is_there(http_url, key)
    if importlib.util.find_spec("locust") is None:
        raise LoadError("locust is not installed: pip install 'foryou[bench]'")
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LoadError(f"--report {report}: {error.strerror}") from error
    moments: list[LoadMoment] = []

    def run(people: int) -> LoadStep:
        return run_locust(http_url, people, settings, moments.extend if soak else lambda _: None, key)

    try:
        with progress_console.status("loading"):
            steps, knee = find_knee(run, settings, _tell)
    except LoadFailedError as error:
        raise LoadError(str(error)) from error
    plot = save_load_plot(report / "load.png", steps, knee, "Latency against throughput, in steps of people")
    answer = {
        "knee_people": knee.people if knee else None,
        "knee_requests_per_s": knee.requests_per_s if knee else None,
        "knee_feeds_per_s": knee.feeds_per_s if knee else None,
        "knee_feed_p50_ms": knee.feed_p50_ms if knee else None,
        "knee_feed_p95_ms": knee.feed_p95_ms if knee else None,
        "is_knee_found": knee is not steps[-1],
        "steps": [step.as_dict() for step in steps],
        "plot": str(plot),
    }
    if moments:
        title = f"{steps[0].people} people for {settings.seconds:,g} seconds"
        answer["soak_plot"] = str(save_soak_plot(report / "soak.png", moments, title))
    (report / "load.json").write_text(json.dumps(answer, indent=1) + "\n")
    return answer


def _is_there(http_url: str, key: str | None) -> None:
    """Ask once, for a load upon nobody would measure how fast connections are refused. Raises LoadError."""
    try:
        answer = httpx.get(f"{http_url.rstrip('/')}/v1/status", headers=key_headers(key), timeout=10.0)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LoadError(f"nobody answers at {http_url}: {error}") from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise LoadError(f"{http_url} asks for a key, one of feed.api.access.client_keys: --key KEY")
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise LoadError(f"{http_url} is no foryou: it has no /v1/status")


def _settings(people: str | None, seconds: float, watch_seconds: float) -> LoadSettings:
    chosen: dict[str, Any] = {"seconds": seconds, "watch_seconds": watch_seconds}
    try:
        if people is not None:
            chosen["people"] = tuple(int(number) for number in people.split(","))
        settings = LoadSettings(**chosen)
    except (ValueError, ValidationError) as error:
        raise LoadError(f"--people {people or ''}, --seconds {seconds:g}: {_reason(error)}") from error
    if not settings.people or min(settings.people) < 1:
        raise LoadError("--people: numbers of at least 1, like 5,10,20")
    return settings


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())


def _tell(step: LoadStep) -> None:
    progress_console.print(
        f"{step.people:>5} people  {step.requests_per_s:8.1f} requests/s  feed p50 {step.feed_p50_ms:.0f} ms "
        f" p95 {step.feed_p95_ms:.0f} ms  failures {step.failures:.1%}"
    )
