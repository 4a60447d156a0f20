"""What one feed request costs its process, without proxy, broker and store: where the time of serving goes.

Processor time, not the clock's: so other work on the machine does not show. From ASGI call to answer, with
the state decoded and the impression encoded as they are in a replica.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from actors.allocator_pacing import keep_freed_memory
from actors.collector_pacing import pace_collector
from messages.identifiers import DEFAULT_NUM_PARTITIONS
from serve_app.feed_service import FeedService
from serve_app.http.app_factory import create_app
from serve_app.pipeline.candidate_limit_filter import CandidateLimitSettings
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.ranking_pipeline import RankedSlate, RankingPipeline
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.served_model import LearnedModel
from serve_app.pipeline.two_tower_source import TwoTowerSettings
from simulations.benchmarks.request_world import (
    EncodingPublisher,
    MemoryUserStore,
    make_people,
    make_replica,
    tend_index,
)

_NOW = 1_764_000_000.0
_CANDIDATES = 500
_ASKED_BEFORE = 100
"""Requests from which the index learns how many lists to look through."""


class RequestBenchmarkSettings(BaseModel):
    """As those of `foryou bench serve`. requests: measured; half as many go before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_contents: int = Field(1_000_000, ge=100)
    num_users: int = Field(500, ge=1)
    history: int = Field(50, ge=0)
    served: int = Field(200, ge=0)
    requests: int = Field(2_000, ge=10)
    seed: int = 0


def run_request_benchmark(settings: RequestBenchmarkSettings) -> dict[str, Any]:
    """Return milliseconds of processor time a request and a stage as one dict, `stages` nested."""
    replica = make_replica(settings.num_contents, now=_NOW, seed=settings.seed)
    people = make_people(
        replica,
        num_users=settings.num_users,
        num_contents=settings.num_contents,
        history=settings.history,
        served=settings.served,
        now=_NOW,
        seed=settings.seed,
    )
    pipeline_settings = PipelineSettings(
        two_tower=TwoTowerSettings(num_candidates=_CANDIDATES * 4 // 5),
        candidate_limit=CandidateLimitSettings(max_candidates=_CANDIDATES),
    )
    pipeline = build_pipeline(pipeline_settings, replica, LearnedModel(replica), timer=time.thread_time)
    generator = np.random.default_rng(settings.seed)
    publisher = EncodingPublisher()
    service = FeedService(
        user_store=MemoryUserStore(people),
        catalogue=None,  # type: ignore[arg-type]
        feed_publisher=publisher,  # type: ignore[arg-type]
        replica=replica,
        pipeline=pipeline,
        clock=lambda: _NOW,
        generator=generator,
        num_partitions=DEFAULT_NUM_PARTITIONS,
    )
    app = create_app(service)
    users = [
        f"bench-user-{number}" for number in generator.integers(settings.num_users, size=settings.requests)
    ]
    asyncio.run(_ask_all(app, users[:_ASKED_BEFORE]))
    recall = tend_index(replica)
    asyncio.run(_ask_all(app, users[: len(users) // 2]))
    trace = _Stages(pipeline)
    publisher.num_bytes = publisher.num_messages = 0
    milliseconds = asyncio.run(_ask_all(app, users))
    return {
        "contents": settings.num_contents,
        "cpu_ms": round(float(np.mean(milliseconds)), 4),
        "cpu_p50_ms": round(float(np.median(milliseconds)), 4),
        "cpu_p99_ms": round(float(np.quantile(milliseconds, 0.99)), 4),
        "ann_recall": recall,
        "impression_bytes": round(publisher.num_bytes / publisher.num_messages),
        **trace.means(),
    }


class _Stages:
    """Listens in on a pipeline's rankings."""

    def __init__(self, pipeline: RankingPipeline) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._candidates: list[int] = []
        self._rank_together, self._observe = pipeline.rank_together, pipeline.observe
        pipeline.rank_together = self.rank_together  # type: ignore[method-assign]
        pipeline.observe = self.observe  # type: ignore[method-assign]

    def rank_together(self, requests: Sequence[RankingRequest]) -> list[RankedSlate | Exception]:
        started = time.thread_time()
        slates = self._rank_together(requests)
        self._seconds["rank"] += time.thread_time() - started
        for slate in slates:
            assert isinstance(slate, RankedSlate)
            for record in slate.trace.records:
                self._seconds[f"{record.kind}.{record.name}"] += record.seconds
            self._candidates.append(next(r.num_in for r in slate.trace.records if r.kind == "hydrator"))
        return slates

    def observe(self, request: RankingRequest, slate: RankedSlate) -> None:
        started = time.thread_time()
        self._observe(request, slate)
        self._seconds["observe"] += time.thread_time() - started

    def means(self) -> dict[str, Any]:
        count = len(self._candidates)
        stages = {name: round(seconds / count * 1e3, 4) for name, seconds in self._seconds.items()}
        return {"candidates": round(float(np.mean(self._candidates)), 1), "stages": stages}


async def _ask_all(app: FastAPI, users: list[str]) -> list[float]:
    milliseconds = []
    for user in users:
        started = time.thread_time()
        status, _ = await ask(app, f"/v1/feed/{user}", b"limit=20")
        milliseconds.append((time.thread_time() - started) * 1e3)
        assert status == 200
    return milliseconds


async def ask(app: FastAPI, path: str, query: bytes = b"") -> tuple[int, bytes]:
    """Ask an app as its server would; return status and body."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    status = 0
    body = b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, body
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            body += message.get("body", b"")

    await app(scope, receive, send)
    return status, body


def main() -> None:
    """Set this process up as a replica is, and print the figures of the first argument's settings."""
    pace_collector()
    keep_freed_memory()
    faiss.omp_set_num_threads(1)
    settings = RequestBenchmarkSettings.model_validate_json(sys.argv[1])
    print(json.dumps(run_request_benchmark(settings)))


if __name__ == "__main__":
    main()
