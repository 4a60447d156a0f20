"""How fast feeds are served, beside a deployment that does nothing, under the same flags in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict, Field

from simulations.benchmarks.http_load import LoadPlan, LoadReport
from simulations.benchmarks.load_process import run_load_process

FEED_PATH = "/v1/feed/bench-user-{user}?limit=20"
_LONGEST_RECOVERY_SECONDS = 60.0
_EXPLAINED = 20
_RECOVERED_ANSWERS = 20


class ServeBenchmarkSettings(BaseModel):
    """The defaults are those of the promises; smaller ones are for trying the benchmark itself.

    seconds: of each measurement. connections: at the peak. replicas: of the feed and of the deployment that
    does nothing alike; None takes what the settings say. rounds: how often feed and no-op take turns. At
    `num_small` contents the time at one connection is measured too, for its growth with the catalogue.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_contents: int = Field(1_000_000, ge=100)
    num_small: int = Field(10_000, ge=100)
    num_users: int = Field(10_000, ge=1)
    history: int = Field(50, ge=0)
    served: int = Field(200, ge=0)
    seconds: float = Field(10.0, gt=0)
    rounds: int = Field(3, ge=1)
    connections: int = Field(16, ge=1)
    replicas: int | None = Field(None, ge=1)
    seed: int = 0


def run_load(plan: LoadPlan) -> LoadReport:
    """Carry out a plan in a process of its own. Raises subprocess.CalledProcessError, TimeoutExpired."""
    module = "simulations.benchmarks.http_load"
    return run_load_process(module, plan, LoadReport, plan.seconds + plan.warm_seconds)


@dataclass(frozen=True, slots=True)
class ServedUrls:
    """Where the feed and the deployment that does nothing are."""

    feed: str
    noop: str


class ServeMeasurement:
    """The measurements of one running system. `load` carries out a plan; tests put another in its place."""

    def __init__(
        self,
        urls: ServedUrls,
        settings: ServeBenchmarkSettings,
        load: Callable[[LoadPlan], LoadReport] = run_load,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._urls = urls
        self._settings = settings
        self._load = load
        self._say = say
        self._seed = settings.seed

    def feed_load(self, **changes: Any) -> LoadReport:
        """Ask for feeds of people drawn for each request."""
        settings = self._settings
        self._seed += 1
        plan = {
            "url": self._urls.feed,
            "path": FEED_PATH,
            "num_users": settings.num_users,
            "connections": settings.connections,
            "seconds": settings.seconds,
            "seed": self._seed,
        }
        return self._load(LoadPlan.model_validate(plan | changes))

    def noop_load(self, **changes: Any) -> LoadReport:
        settings = self._settings
        plan = {
            "url": self._urls.noop,
            "path": "/noop",
            "connections": settings.connections,
            "seconds": settings.seconds,
        }
        return self._load(LoadPlan.model_validate(plan | changes))

    def throughput(self) -> dict[str, Any]:
        """Measure one connection, then feed and no-op in turns at the peak; medians over the rounds."""
        self._say("one connection")
        alone = self.feed_load(connections=1)
        noop_alone = self.noop_load(connections=1)
        feeds, noops = [], []
        for number in range(self._settings.rounds):
            self._say(f"peak, round {number + 1} of {self._settings.rounds}")
            feeds.append(self.feed_load())
            noops.append(self.noop_load())
        requests_per_s = float(np.median([report.served_per_s for report in feeds]))
        noop_per_s = float(np.median([report.served_per_s for report in noops]))
        reports = [alone, noop_alone, *feeds, *noops]
        return {
            "requests_per_s": round(requests_per_s, 1),
            "noop_requests_per_s": round(noop_per_s, 1),
            "ratio": round(requests_per_s / noop_per_s, 4),
            "p50_ms_c1": round(alone.p50_ms, 3),
            "p99_ms_c1": round(alone.p99_ms, 3),
            "noop_p50_ms_c1": round(noop_alone.p50_ms, 3),
            "p50_ms": round(float(np.median([report.p50_ms for report in feeds])), 3),
            "p99_ms": round(float(np.median([report.p99_ms for report in feeds])), 3),
            "errors": sum(report.failed + report.refused for report in reports),
            "client_cpu": max(report.client_cpu for report in feeds),
            "noop_client_cpu": max(report.client_cpu for report in noops),
        }

    def inside(self) -> dict[str, Any]:
        """Ask the replica for what cannot be seen from outside: candidates, sources, stage times, recall."""
        with httpx.Client(base_url=self._urls.feed, timeout=30) as client:
            traces = []
            for number in range(min(_EXPLAINED, self._settings.num_users)):
                path = FEED_PATH.format(user=number) + "&explain=true"
                traces.append(client.get(path).raise_for_status().json()["stages"])
            metrics = client.get("/metrics").raise_for_status().text
            contents = client.get("/v1/status").raise_for_status().json()["replica"]["contents"]
        ranked = [stage["in"] for trace in traces for stage in trace if stage["kind"] == "hydrator"]
        sources = [sum(stage["kind"] == "source" and stage["out"] > 0 for stage in trace) for trace in traces]
        return {
            "contents": contents,
            "candidates": round(float(np.mean(ranked)), 1) if ranked else 0.0,
            "sources": round(float(np.mean(sources)), 1),
            **stage_means(metrics),
        }

    def overload(self, peak_per_s: float, peak_p99_ms: float) -> dict[str, Any]:
        """Offer twice the peak and look at what is served, what is refused, and how soon it is over."""
        self._say("twice the peak")
        report = self.feed_load(rate=2 * peak_per_s, connections=8 * self._settings.connections)
        recovered_s = self._recovery(peak_p99_ms)
        return {
            "overload_offered_per_s": round(2 * peak_per_s, 1),
            "overload_served_per_s": round(report.served_per_s, 1),
            "overload_refused_per_s": round(report.refused / report.seconds, 1),
            "overload_failed": report.failed,
            "overload_late": report.late,
            "overload_p99_ms": round(report.p99_ms, 3),
            "overload_p99_ratio": round(report.p99_ms / peak_p99_ms, 3),
            "overload_recovery_s": recovered_s,
        }

    def _recovery(self, peak_p99_ms: float) -> float:
        """Return the seconds until twenty answers in a row come within the p99 of the peak."""
        started = time.perf_counter()
        in_a_row = 0
        since = 0.0
        with httpx.Client(base_url=self._urls.feed, timeout=30) as client:
            while in_a_row < _RECOVERED_ANSWERS:
                asked = time.perf_counter()
                answer = client.get(FEED_PATH.format(user=in_a_row))
                taken_ms = (time.perf_counter() - asked) * 1e3
                if answer.status_code == 200 and taken_ms <= peak_p99_ms:
                    since = since if in_a_row else asked - started
                    in_a_row += 1
                else:
                    in_a_row = 0
                if asked - started > _LONGEST_RECOVERY_SECONDS:
                    return float("nan")
        return round(since, 3)


def stage_means(text: str) -> dict[str, Any]:
    """Return the mean milliseconds of each stage and the recall that the index measures of itself."""
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    recall = None
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.name == "foryou_stage_seconds":
                name = f"{sample.labels['kind']}.{sample.labels['stage']}"
                if sample.name.endswith("_sum"):
                    sums[name] = sample.value
                elif sample.name.endswith("_count"):
                    counts[name] = sample.value
            elif sample.name == "foryou_ann_recall":
                recall = sample.value
    return {
        "ann_recall": recall,
        "stages": {name: round(sums[name] / counts[name] * 1e3, 4) for name in sums if counts[name]},
    }
