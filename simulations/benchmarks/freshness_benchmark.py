"""Freshness under load, and where the time between an event's append and its effect goes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import numpy as np
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from prometheus_client.parser import text_string_to_metric_families

from actors.connections import Connections, EndpointSettings
from messages.examples_header import ExamplesHeader
from simulations.benchmarks.freshness_load import FreshnessPlan, FreshnessReport
from simulations.benchmarks.load_process import run_load_process

_READ_PARTITION = 0


class JoinTimes:
    """Reads the headers of one partition of EXAMPLES while a load runs: how long after FEED's newest event
    each came. Of one, since reading all took a twentieth of a core from what is measured."""

    def __init__(self, endpoints: EndpointSettings) -> None:
        self._endpoints = endpoints
        self._over = threading.Event()
        self._seconds: list[float] = []
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._read()), name="join-times", daemon=True
        )

    def __enter__(self) -> JoinTimes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def mean_ms(self) -> float:
        return float(np.mean(self._seconds) * 1e3) if self._seconds else float("nan")

    async def _read(self) -> None:
        async with await Connections.open(self._endpoints, "bench-joins") as connections:
            consumer = ConsumerConfig(
                deliver_policy=DeliverPolicy.NEW,
                ack_policy=AckPolicy.NONE,
                headers_only=True,
                mem_storage=True,
            )
            namespace = connections.namespace
            subscription = await connections.js.pull_subscribe(
                namespace.examples_subject(_READ_PARTITION), stream=namespace.examples_stream, config=consumer
            )
            while not self._over.is_set():
                try:
                    messages = await subscription.fetch(64, timeout=0.5)
                except TimeoutError:
                    continue
                for message in messages:
                    header = ExamplesHeader.from_headers(message.headers)
                    self._seconds.append(message.metadata.timestamp.timestamp() - header.watermark)


def run_freshness(plan: FreshnessPlan, endpoints: EndpointSettings) -> dict[str, Any]:
    """Load the system at `plan.url` and measure. `stages`, mean milliseconds, follow each other: join, from
    FEED's append to that of EXAMPLES; learn, until the shards are read for a delta; sync, until it is served.
    """
    before = _means(plan.url)
    with JoinTimes(endpoints) as joins:
        report = _run(plan)
    after = _means(plan.url)
    served = _mean_ms(before, after, "foryou_event_to_served_seconds")
    sync = _mean_ms(before, after, "foryou_read_to_served_seconds")
    join = joins.mean_ms()
    return {
        "p50_ms": report.p50_ms,
        "p95_ms": report.p95_ms,
        "p99_ms": report.p99_ms,
        "events_per_s": report.events_per_s,
        "feeds_per_s": report.feeds_per_s,
        "stages": {
            "join_ms": round(join, 2),
            "learn_ms": round(served - sync - join, 2),
            "sync_ms": round(sync, 2),
        },
        "probes": report.probes,
        "missed": report.missed,
        "errors": report.failures,
        "client_cpu": report.client_cpu,
    }


def _run(plan: FreshnessPlan) -> FreshnessReport:
    module = "simulations.benchmarks.freshness_load"
    return run_load_process(module, plan, FreshnessReport, plan.seconds + plan.warm_seconds)


def _means(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", timeout=30).raise_for_status().text
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        if family.name in ("foryou_event_to_served_seconds", "foryou_read_to_served_seconds")
        for sample in family.samples
        if sample.name.endswith(("_sum", "_count"))
    }


def _mean_ms(before: dict[str, float], after: dict[str, float], name: str) -> float:
    count = after.get(f"{name}_count", 0.0) - before.get(f"{name}_count", 0.0)
    total = after.get(f"{name}_sum", 0.0) - before.get(f"{name}_sum", 0.0)
    return total / count * 1e3 if count else float("nan")
