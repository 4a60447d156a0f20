"""From the model's own settings to the tables that the parameter server must hold for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from learners.online_scaling import EXTREMES, MOMENTS
from learners.ranking_model import initial_dense_weights, slot_dimensions, slot_learning_rates
from learners.text_weights import DOCUMENT_COUNTS
from learners.training_settings import TrainingSettings
from messages.arrays import FloatArray
from messages.updates import Position
from parameter_server.group_births import begin_as_copy, begin_as_snapshot
from parameter_server.settings import DenseSettings, GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_files import SnapshotRoot

FIRST_MODEL = "production"
"""The name of the model that a system begins with."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A group to host: its settings, and the dense weights it begins with."""

    settings: GroupSettings
    dense: Mapping[str, FloatArray]


def model_plan(training: TrainingSettings, num_partitions: int) -> GroupPlan:
    """Return the group of one ranking model."""
    rates = slot_learning_rates(training.model)
    tables = training.model.tables
    slots = {
        slot: SlotSettings(
            dimension=dimension,
            learning_rate=rates[slot],
            **(tables[slot].model_dump(exclude_unset=True) if slot in tables else {}),
        )
        for slot, dimension in slot_dimensions(training.model).items()
    }
    return GroupPlan(
        settings=GroupSettings(
            slots=slots,
            dense=DenseSettings(
                learning_rate=training.model.dense_learning_rate,
                sums=(MOMENTS, DOCUMENT_COUNTS),
                maxima=(EXTREMES,),
            ),
            num_partitions=num_partitions,
        ),
        dense=initial_dense_weights(training.model),
    )


def counters_plan(num_partitions: int) -> GroupPlan:
    """Return the group of the content counters, one for all models."""
    return GroupPlan(settings=GroupSettings(num_partitions=num_partitions, counters=True), dense={})


class GroupBirth(BaseModel):
    """How a model's group begins. kind: new (first values), copy (of `source` as it is when the shards make
    it), or snapshot (of `source` as it was before the time `before`, epoch seconds).

    root: the folder or URI of the snapshots; empty for those that the shards write themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["new", "copy", "snapshot"] = "new"
    source: str = ""
    before: float = 0.0
    root: str = ""
    start: dict[int, tuple[int, int, float]] = {}
    """Where a new group begins to learn, by partition: EXAMPLES, FEED, watermark; else at the start."""

    def positions(self) -> dict[int, Position]:
        return {partition: Position(*where) for partition, where in self.start.items()}


def begin_group(
    shard: ParameterShard, name: str, plan: GroupPlan, birth: GroupBirth, snapshot_root: SnapshotRoot
) -> None:
    """Make a group as its birth says; one that exists takes the plan's rates. snapshot_root: the shards' own.

    Raises ValueError for settings that do not fit, UnknownGroupError or NoSuchSnapshotError where there is
    nothing to begin as.
    """
    is_new = not shard.has_group(name)
    if is_new and birth.kind == "copy":
        begin_as_copy(shard, name, birth.source, plan.settings, plan.dense)
    elif is_new and birth.kind == "snapshot":
        root = birth.root or snapshot_root
        begin_as_snapshot(shard, root, name, birth.source, birth.before, plan.settings, plan.dense)
    else:
        shard.create_group(name, plan.settings, plan.dense, birth.positions())


def lineage_name(number: int) -> str:
    """Name the lineages of a model a, b, ... z, ba, bb, ...: a rollback to a snapshot opens the next."""
    name = ""
    while True:
        number, letter = divmod(number, 26)
        name = chr(ord("a") + letter) + name
        if not number:
            return name


def group_name(model_id: str, lineage: int = 0) -> str:
    """Name the group of a model's lineage: the first bears the model's own name. No model's name has an @."""
    return model_id if lineage == 0 else f"{model_id}@{lineage_name(lineage)}"


def model_of_group(group: str) -> tuple[str, str]:
    """Return the model and the lineage that a group belongs to."""
    model_id, _, lineage = group.partition("@")
    return model_id, lineage or lineage_name(0)


def learner_role(group: str) -> str:
    """Name the actor that teaches a group; that of a system's first model is plainly the learner."""
    return "learner" if group == FIRST_MODEL else f"learner-{group}"
