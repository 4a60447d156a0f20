"""From the model's own settings to the tables that the parameter server must hold for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from learners.ranking_model import initial_dense_weights, slot_dimensions, slot_learning_rates
from learners.training_settings import TrainingSettings
from messages.arrays import FloatArray
from parameter_server.settings import DenseSettings, GroupSettings, SlotSettings


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A group to host: its settings, and the dense weights it begins with."""

    settings: GroupSettings
    dense: Mapping[str, FloatArray]


def model_plan(training: TrainingSettings, num_partitions: int) -> GroupPlan:
    """Return the group of one ranking model."""
    rates = slot_learning_rates(training.model)
    slots = {
        slot: SlotSettings(dimension=dimension, learning_rate=rates[slot])
        for slot, dimension in slot_dimensions(training.model).items()
    }
    return GroupPlan(
        settings=GroupSettings(
            slots=slots,
            dense=DenseSettings(learning_rate=training.model.dense_learning_rate),
            num_partitions=num_partitions,
        ),
        dense=initial_dense_weights(training.model),
    )


def counters_plan(num_partitions: int) -> GroupPlan:
    """Return the group of the content counters, one for all models."""
    return GroupPlan(settings=GroupSettings(num_partitions=num_partitions, counters=True), dense={})
