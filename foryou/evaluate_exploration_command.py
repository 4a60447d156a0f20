"""`foryou evaluate exploration`: what another rate of exploration would have earned on archived traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from actors.archive_files import ArchiveError, ArchiveFiles
from actors.archive_reader import files_to_read
from actors.archive_tables import batch_of
from foryou.evaluate_policy_command import EvaluationError, policy_report
from foryou.settings import SystemSettings
from messages.examples import ExampleBatch
from monitoring.off_policy import OffPolicyError
from monitoring.off_policy_log import rows_of_examples

REWARDS = ("engage", "long_view", "complete")
"""Heads that a terminal event decides: each row that closes an impression knows whether they came."""


def run_evaluate_exploration_command(
    settings: SystemSettings,
    *,
    target_epsilon: float,
    archive: str | None = None,
    reward: str = "engage",
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Report IPS and SNIPS of epsilon-greedy with `target_epsilon`, as `policy_report` does.

    archive: folder or URI, default `archive.uri`; read whole. The log's own rate is the settings'
    `feed.pipeline.exploration.epsilon`. Raises EvaluationError: also for traffic that was not drawn (UCB).
    """
    uri = archive or settings.archive.uri
    if uri is None:
        raise EvaluationError("which archive? set archive.uri, or name --archive")
    if reward not in REWARDS:
        raise EvaluationError(f"--reward {reward}: one of {', '.join(REWARDS)}")
    epsilon = settings.feed.pipeline.exploration.epsilon
    try:
        rows = rows_of_examples(
            list(_archived_batches(ArchiveFiles(uri))),
            epsilon=epsilon,
            target_epsilon=target_epsilon,
            head=reward,
        )
        report = policy_report(rows, confidence=confidence)
    except (ArchiveError, OffPolicyError) as error:
        raise EvaluationError(f"{uri}: {error}") from error
    return {"reward": reward, "epsilon": epsilon, "target_epsilon": target_epsilon, **report}


def _archived_batches(files: ArchiveFiles) -> Iterator[ExampleBatch]:
    """Yield a batch for each file, without what a former file holds too. Raises ArchiveError."""
    for file in files_to_read(files, "examples"):
        table = files.read(file)
        yield batch_of(table.take(np.flatnonzero(table["sequence"].to_numpy() >= file.first)))
