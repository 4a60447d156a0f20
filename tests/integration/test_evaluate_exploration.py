"""Another rate of exploration, judged on an archive as the archivist writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from actors.archive_files import ArchiveFiles, ArchiveSettings, stream_label
from actors.archive_writer import ArchiveWriter
from foryou.evaluate_exploration_command import run_evaluate_exploration_command
from foryou.evaluate_policy_command import EvaluationError
from foryou.settings import SystemSettings, with_changes
from messages.arrays import FloatArray
from messages.examples import ExampleBatch
from tests.archived_streams import streams_of

EPSILON = 0.2
_, EXAMPLES = streams_of(30)
SETTINGS = with_changes(SystemSettings(), {"feed": {"pipeline": {"exploration": {"epsilon": EPSILON}}}})


def archive_of(folder: Path, propensities: Callable[[int], FloatArray]) -> str:
    """Archive the small stream as if it had been drawn with these chances; a message at a time."""
    writer = ArchiveWriter(
        ArchiveFiles(folder),
        "examples",
        stream_label("test", datetime(2026, 11, 24, tzinfo=UTC)),
        ArchiveSettings(),
    )
    for message in EXAMPLES:
        batch = ExampleBatch.decode(message.data)
        if batch.joined is not None:
            drawn = propensities(len(batch.joined.propensities)).astype(np.float32)
            batch = replace(batch, joined=replace(batch.joined, propensities=drawn))
        writer.add([replace(message, data=batch.encode())])
    writer.flush()
    return str(folder)


def test_the_rate_that_was_logged_earns_what_was_earned(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, lambda n: np.full(n, 1 - EPSILON + EPSILON / 4))
    report = run_evaluate_exploration_command(SETTINGS, archive=archive, target_epsilon=EPSILON)

    assert report["rows"] >= 30
    assert report["epsilon"] == EPSILON
    assert 0 < report["logged_value"] < 1
    for estimator in ("ips", "snips"):
        assert report[f"{estimator}_value"] == pytest.approx(report["logged_value"], rel=1e-5)


def test_without_exploration_only_the_best_count(tmp_path: Path) -> None:
    best = 1 - EPSILON + EPSILON / 4
    draws = np.random.default_rng(0)
    archive = archive_of(tmp_path, lambda n: np.where(draws.random(n) < 0.5, best, EPSILON / 4))
    report = run_evaluate_exploration_command(
        with_changes(SETTINGS, {"archive": {"uri": archive}}), target_epsilon=0.0
    )

    assert report["mean_weight"] == pytest.approx(report["effective_rows"] / report["rows"] / best, rel=1e-3)
    assert report["effective_rows"] < report["rows"]


def test_what_was_not_drawn_is_refused_by_name(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, lambda n: np.full(n, np.nan))
    with pytest.raises(EvaluationError, match="UCB"):
        run_evaluate_exploration_command(SETTINGS, archive=archive, target_epsilon=0.1)


def test_what_cannot_be_evaluated_is_said(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="--archive"):
        run_evaluate_exploration_command(SETTINGS, target_epsilon=0.1)
    with pytest.raises(EvaluationError, match="holds no archived examples"):
        run_evaluate_exploration_command(SETTINGS, archive=str(tmp_path), target_epsilon=0.1)
    with pytest.raises(EvaluationError, match="one of engage"):
        run_evaluate_exploration_command(SETTINGS, archive=str(tmp_path), target_epsilon=0.1, reward="like")
