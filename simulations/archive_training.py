"""Trains a model on the archive, and writes a snapshot from which the stream goes on where the archive ends.

The first pass is in the stream's order: every row is scored before it is learned, and contents are counted.
More passes shuffle; what they say of rows they have seen is no validation, and is reported apart. Models with
embeddings of ids often gain nothing from a second pass ("one-epoch phenomenon": Zhang et al., CIKM 2022).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actors.archive_files import ArchiveFiles
from actors.archive_reader import ArchiveEnd, examples_end
from learners.step_result import StepResult
from learners.training_settings import TrainingSettings
from messages.examples import HEAD_INDEX, ExampleBatch
from monitoring.progressive_metrics import StreamingAuc
from parameter_server.group_state import GroupState
from parameter_server.positions import BucketPositions
from parameter_server.snapshot_files import SnapshotRoot
from parameter_server.snapshots import write_states
from simulations.archive_batches import archived_batches
from simulations.batch_learner import BatchLearner
from simulations.initial_embeddings import InitialMethod, initial_rows_of
from simulations.prepared_examples import CounterFiller

Say = Callable[[str], None]

_HEADS = {"click": HEAD_INDEX["engage"], "long_view": HEAD_INDEX["long_view"]}


class TrainingRefusedError(ValueError):
    """The archive cannot be trained on as asked; the text says why."""


@dataclass(slots=True)
class TrainedModel:
    """learner: holds the model and, beside it, the counters. end: how far the archive goes. aucs: by pass,
    the first one progressive. rows: events of one pass."""

    learner: BatchLearner
    end: ArchiveEnd
    rows: int = 0
    initial_rows: int = 0
    aucs: list[dict[str, float]] = field(default_factory=list)

    def write_snapshot(self, root: SnapshotRoot, *, goes_on: bool, keep: int = 3) -> str:
        """Write the model and the counters, and return where.

        goes_on: whether the stream is the one that was archived, so that a learner goes on after the
        archive's end; else it begins at the stream's beginning, which the archive does not hold.
        """
        shard = self.learner.shard
        num_partitions = shard.positions(self.learner.group).num_partitions
        positions = _positions_at(self.end if goes_on else None, shard.buckets, num_partitions)
        states = {name: _standing_at(state, positions) for name, state in shard.states().items()}
        return write_states(shard, states, root, keep=keep)


def train_on_archive(
    files: ArchiveFiles,
    training: TrainingSettings,
    *,
    num_partitions: int,
    epochs: int = 1,
    batch_rows: int = 256,
    initial: InitialMethod = "none",
    seed: int = 0,
    group: str = "production",
    say: Say = lambda _: None,
) -> TrainedModel:
    """Train on all that is archived. Ray must be initialized.

    Raises ArchiveError where there is no archive, TrainingRefusedError where it does not fit.
    """
    end = examples_end(files)
    if max(end.positions) >= num_partitions:
        raise TrainingRefusedError(
            f"{files.root} has a partition {max(end.positions)}, the settings {num_partitions} partitions: "
            f"set num_partitions as it was"
        )
    learner = BatchLearner(training, group=group, num_partitions=num_partitions)
    filler = CounterFiller(learner.shard, num_partitions)
    trained = TrainedModel(learner, end)
    if initial != "none":
        say(f"initial rows by {initial}")
        births = initial_rows_of(archived_batches(files, 4_096), initial, training.model, seed)
        learner.give_birth(births)
        trained.initial_rows = sum(len(rows) for rows in births.values())
    for epoch in range(epochs):
        aucs = {name: StreamingAuc() for name in _HEADS}
        began, num_rows = time.monotonic(), 0
        for batch in archived_batches(files, batch_rows, shuffle_seed=seed + epoch if epoch else None):
            if epoch == 0:
                _check_can_repeat(batch, epochs)
                batch = filler.fill(batch)
            _measure(aucs, learner.learn(batch))
            num_rows += len(batch)
            rate = num_rows / (time.monotonic() - began)
            say(f"pass {epoch + 1} of {epochs}: {num_rows:,} events, {rate:,.0f} per second")
        trained.rows = num_rows
        trained.aucs.append({name: auc.value() for name, auc in aucs.items()})
    return trained


def _check_can_repeat(batch: ExampleBatch, epochs: int) -> None:
    """Counters that are filled in are of the first pass: later ones would see the future through them."""
    if epochs > 1 and batch.joined is not None and batch.joined.features.counters is None:
        raise TrainingRefusedError(
            "these examples come without counter features (a replay's): --epochs 1 fills them in as they "
            "were, more passes cannot"
        )


def _measure(aucs: dict[str, StreamingAuc], result: StepResult) -> None:
    for name, auc in aucs.items():
        rows = result.trained[:, _HEADS[name]]
        auc.add(result.probabilities[rows, _HEADS[name]], result.targets[rows, _HEADS[name]])


def _positions_at(end: ArchiveEnd | None, buckets: Any, num_partitions: int) -> BucketPositions:
    positions = BucketPositions.beginning(np.asarray(buckets), num_partitions)
    if end is not None:
        for partition, position in end.positions.items():
            positions.examples[:, partition] = position.examples
            positions.feed[:, partition] = position.feed
            positions.watermarks[:, partition] = position.watermark
            positions.applied[:, partition] = end.examples.get(partition, 0)
    return positions


def _standing_at(state: GroupState, positions: BucketPositions) -> GroupState:
    """Return a state at positions of the real stream; no owner has been seen."""
    return dataclasses.replace(
        state, positions=positions.copy(), epochs=np.zeros(positions.num_partitions, dtype=np.int64)
    )
