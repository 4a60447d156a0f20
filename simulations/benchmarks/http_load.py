"""Requests from outside, as many as the other side takes or at a rate: a small HTTP/1.1 client of bytes.

    python -m simulations.benchmarks.http_load '{"url": ..., "path": ..., "connections": 16, "seconds": 5}'

A process of its own, so that it measures what a client sees. It writes requests made beforehand and reads
just enough of an answer to find its end: some ten times what a full client does on one core. `client_cpu`
says how much of a core it took; near 1 it, and not the other side, is the bound.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvloop
from pydantic import BaseModel, ConfigDict, Field

from simulations.benchmarks.http_connection import HttpConnection


class LoadPlan(BaseModel):
    """path: with `{user}` for the number of a person drawn for each request. rate: requests a second, sent
    whether the others are answered or not; None sends the next when the last is answered. warm_seconds:
    before counting. window_seconds: of the rows of the report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    path: str
    num_users: int = Field(1, ge=1)
    connections: int = Field(16, ge=1)
    seconds: float = Field(5.0, gt=0)
    warm_seconds: float = Field(1.0, ge=0)
    rate: float | None = Field(None, gt=0)
    window_seconds: float = Field(60.0, gt=0)
    seed: int = 0


class LoadWindow(BaseModel):
    """One stretch of time. milliseconds: of those answered with 200, NaN where there were none."""

    served: int
    refused: int
    p50_ms: float
    p99_ms: float


class LoadReport(BaseModel):
    """served: answered with 200; refused: with 429; failed: otherwise, or not at all. late: sends
    that found every connection busy: their time counts from when they were due. client_cpu: in cores."""

    seconds: float
    served: int
    refused: int
    failed: int
    late: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    windows: list[LoadWindow]
    statuses: dict[str, int]
    client_cpu: float

    @property
    def served_per_s(self) -> float:
        return self.served / self.seconds


class LoadRun:
    """One plan being carried out."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        address = urlsplit(plan.url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._draws = random.Random(plan.seed)
        self._idle: list[HttpConnection] = []
        self._due: list[float] = []
        self._counting_from = 0.0
        self._ends_at = 0.0
        self._answers: list[tuple[float, float]] = []
        self._statuses: Counter[int] = Counter()
        self._refused: list[float] = []
        self._opening: set[asyncio.Future[None]] = set()
        self._num_sent = 0
        self.num_late = 0

    async def run(self) -> LoadReport:
        """Send until the time is over; answers that are under way then are waited for, not counted."""
        plan = self._plan
        self._idle = [await HttpConnection.open(self._host, self._port) for _ in range(plan.connections)]
        started = time.perf_counter()
        self._counting_from = started + plan.warm_seconds
        self._ends_at = self._counting_from + plan.seconds
        if plan.rate is None:
            for connection in list(self._idle):
                self._send(connection, time.perf_counter())
            self._idle.clear()
        cpu = 0.0
        counting = False
        while (now := time.perf_counter()) < self._ends_at:
            if not counting and now >= self._counting_from:
                counting, cpu = True, time.process_time()
            if plan.rate is not None:
                self._send_due(started, plan.rate, now)
                await asyncio.sleep(min(0.5 / plan.rate, 0.002))
            else:
                await asyncio.sleep(0.01)
        return self._report((time.process_time() - cpu) / plan.seconds)

    def _send_due(self, started: float, rate: float, now: float) -> None:
        sent = self._num_sent
        due = int((now - started) * rate)
        for number in range(sent, due):
            if self._idle:
                self._send(self._idle.pop(), now)
            else:
                self.num_late += now >= self._counting_from
                self._due.append(started + number / rate)
        self._num_sent = max(due, sent)

    def _send(self, connection: HttpConnection, due_at: float) -> None:
        user = self._draws.randrange(self._plan.num_users)
        path = self._plan.path.replace("{user}", str(user))
        request = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode()
        connection.ask(request, lambda status, _: self._answered(connection, status, due_at))

    def _answered(self, connection: HttpConnection, status: int, due_at: float) -> None:
        now = time.perf_counter()
        if self._counting_from <= now < self._ends_at:
            self._statuses[status] += 1
            if status == 200:
                self._answers.append((now - self._counting_from, now - due_at))
            elif status == 429:
                self._refused.append(now - self._counting_from)
        if now >= self._ends_at:
            return
        if status == 0:  # the connection broke: another takes its place
            task = asyncio.ensure_future(self._reopen())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        elif self._plan.rate is None:
            self._send(connection, now)
        elif self._due:
            self._send(connection, self._due.pop(0))
        else:
            self._idle.append(connection)

    async def _reopen(self) -> None:
        connection = await HttpConnection.open(self._host, self._port)
        if self._plan.rate is None:
            self._send(connection, time.perf_counter())
        else:
            self._idle.append(connection)

    def _report(self, client_cpu: float) -> LoadReport:
        plan = self._plan
        times = np.array([at for at, _ in self._answers])
        seconds = np.array([taken for _, taken in self._answers])
        refused = np.array(self._refused)
        windows = []
        for start in np.arange(0.0, plan.seconds, plan.window_seconds):
            end = start + plan.window_seconds
            within = seconds[(times >= start) & (times < end)]
            windows.append(
                LoadWindow(
                    served=len(within),
                    refused=int(((refused >= start) & (refused < end)).sum()),
                    p50_ms=_quantile_ms(within, 0.5),
                    p99_ms=_quantile_ms(within, 0.99),
                )
            )
        served, shed = self._statuses[200], self._statuses[429]
        return LoadReport(
            seconds=plan.seconds,
            served=served,
            refused=shed,
            failed=self._statuses.total() - served - shed,
            late=self.num_late,
            p50_ms=_quantile_ms(seconds, 0.5),
            p95_ms=_quantile_ms(seconds, 0.95),
            p99_ms=_quantile_ms(seconds, 0.99),
            windows=windows,
            statuses={str(status): count for status, count in self._statuses.items()},
            client_cpu=round(client_cpu, 3),
        )


def _quantile_ms(seconds: np.ndarray[Any, Any], share: float) -> float:
    return float(np.quantile(seconds, share) * 1e3) if len(seconds) else float("nan")


def main() -> None:
    """Carry out the plan of the first argument and print the report as JSON."""
    plan = LoadPlan.model_validate_json(sys.argv[1])
    report = uvloop.run(LoadRun(plan).run())
    print(json.dumps(report.model_dump()))


if __name__ == "__main__":
    main()
