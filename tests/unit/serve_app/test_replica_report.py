"""What a replica says of the parts behind it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from serve_app.replica_report import health_report

NOW = 1_000.0
MODELS: Any = SimpleNamespace(
    production=SimpleNamespace(replica=SimpleNamespace(version="production.a.1", as_of=NOW), follower=None)
)


def test_a_part_that_waits_or_stays_down_is_a_warning_with_its_reason() -> None:
    workers = {
        "joiner": {"running": True, "failure": "waits: the stream is full"},
        "learner": {"running": False, "failure": "StreamTrimmedError: begins at 7"},
        "model": {"running": True, "failure": None},
        "archive": {"running": False, "failure": None},
    }
    report = health_report(MODELS, workers, NOW, 90.0)
    assert report["ready"]
    assert report["warnings"] == [
        "joiner does not get on: waits: the stream is full",
        "learner is down: StreamTrimmedError: begins at 7",
        "archive is down: it has ended",
    ]
