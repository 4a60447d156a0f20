"""What the benchmarks of serving make of what they measure, without a server."""

from __future__ import annotations

import random
from typing import Any

import pytest
import typer

from foryou.bench_serving_cli import seconds_of
from simulations.benchmarks.freshness_load import reactions
from simulations.benchmarks.http_connection import BROKEN, HttpConnection
from simulations.benchmarks.http_load import LoadPlan, LoadReport
from simulations.benchmarks.serve_benchmark import (
    ServeBenchmarkSettings,
    ServedUrls,
    ServeMeasurement,
    stage_means,
)
from simulations.benchmarks.serve_soak import MemoryLog


def report(served: int, *, refused: int = 0, failed: int = 0, p99_ms: float = 9.0) -> LoadReport:
    return LoadReport(
        seconds=10.0,
        served=served,
        refused=refused,
        failed=failed,
        late=0,
        p50_ms=2.0,
        p95_ms=5.0,
        p99_ms=p99_ms,
        windows=[],
        statuses={},
        client_cpu=0.3,
    )


def test_the_ratio_is_of_medians_over_rounds_and_every_refusal_is_an_error() -> None:
    feeds = iter([report(900), report(1_000), report(3_000, refused=2, failed=1)])
    plans: list[LoadPlan] = []

    def load(plan: LoadPlan) -> LoadReport:
        plans.append(plan)
        if plan.connections == 1:
            return report(500)
        return report(10_000) if plan.path == "/noop" else next(feeds)

    settings = ServeBenchmarkSettings(rounds=3, num_users=70)
    answer = ServeMeasurement(ServedUrls("http://feed", "http://noop"), settings, load).throughput()

    assert answer["requests_per_s"] == 100
    assert answer["noop_requests_per_s"] == 1_000
    assert answer["ratio"] == 0.1
    assert answer["errors"] == 3
    assert [plan.path == "/noop" for plan in plans] == [False, True] * 4
    assert len({plan.seed for plan in plans if plan.path != "/noop"}) == 4, "each draws other people"
    assert {plan.num_users for plan in plans if plan.path != "/noop"} == {70}


def test_stage_times_and_recall_are_read_from_the_metrics() -> None:
    text = (
        "# TYPE foryou_stage_seconds histogram\n"
        'foryou_stage_seconds_sum{kind="filter",stage="duplicate"} 0.5\n'
        'foryou_stage_seconds_count{kind="filter",stage="duplicate"} 1000\n'
        "# TYPE foryou_ann_recall gauge\n"
        "foryou_ann_recall 0.99\n"
    )

    assert stage_means(text) == {"ann_recall": 0.99, "stages": {"filter.duplicate": 0.5}}


@pytest.fixture
def answered() -> list[tuple[int, bytes]]:
    return []


@pytest.fixture
def connection(answered: list[tuple[int, bytes]]) -> HttpConnection:
    connection = HttpConnection()
    connection.connection_made(_Wire())
    connection.ask(b"GET / HTTP/1.1\r\n\r\n", lambda status, body: answered.append((status, body)))
    return connection


class _Wire:
    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        assert data


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", (200, b"hello")),
        (b"HTTP/1.1 429 No\r\nx: y\r\ncontent-length: 0\r\n\r\n", (429, b"")),
        (b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n", (204, b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            (200, b"hello"),
        ),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1_000])
def test_an_answer_is_whole_however_it_is_cut_on_its_way(
    connection: HttpConnection, answered: list[Any], answer: bytes, expected: tuple[int, bytes], piece: int
) -> None:
    for start in range(0, len(answer), piece):
        assert answered == []
        connection.data_received(answer[start : start + piece])

    assert answered == [expected]


def test_a_connection_that_breaks_answers_that_it_did(
    connection: HttpConnection, answered: list[Any]
) -> None:
    connection.data_received(b"HTTP/1.1 200 OK\r\n")
    connection.connection_lost(None)

    assert answered == [(BROKEN, b"")]


def test_each_feed_is_followed_by_the_events_that_the_rates_ask_for() -> None:
    feed = {"request_id": "r", "items": [{"content_id": f"c{number}"} for number in range(3)]}

    events = reactions(feed, "ada", 7, random.Random(0))

    assert [event["content_id"] for event in events] == ["c0", "c1", "c2", "c0", "c1", "c2", "c0"]
    assert {event["event_type"] for event in events[:3]} <= {"view", "skip"}
    assert reactions({"request_id": "r", "items": []}, "ada", 7, random.Random(0)) == []


def test_memory_growth_leaves_the_warm_up_out() -> None:
    log = MemoryLog(
        at=[0.0] * 40, by_name=[{"feed": 50.0}] * 10 + [{"feed": 100.0}] * 28 + [{"feed": 103.0}] * 2
    )

    assert log.growth()["feed"] == pytest.approx(1.02, abs=0.011)


@pytest.mark.parametrize(("text", "seconds"), [("20m", 1_200), ("90s", 90), ("1.5h", 5_400), ("7", 7)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(typer.BadParameter):
        seconds_of("soon")
