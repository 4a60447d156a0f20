"""From the model's own settings to the tables that the parameter server must hold for it."""

from __future__ import annotations

from learners.training_settings import TrainingSettings

from actors.shard_host import GroupPlan
from learners.ranking_model import initial_dense_weights, slot_dimensions, slot_learning_rates
from parameter_server.settings import DenseSettings, GroupSettings, SlotSettings


def model_plan(training: TrainingSettings, num_partitions: int) -> GroupPlan:
    """Return the group of one ranking model."""
    rates = slot_learning_rates(training.model)
    slots = {
        slot: SlotSettings(dimension=dimension, learning_rate=rates[slot])
        for slot, dimension in slot_dimensions(training.model).items()
    }
    return GroupPlan(
        settings=GroupSettings(slots=slots, dense=DenseSettings(), num_partitions=num_partitions),
        dense=initial_dense_weights(training.model),
    )


def counters_plan(num_partitions: int) -> GroupPlan:
    """Return the group of the content counters, one for all models."""
    return GroupPlan(settings=GroupSettings(num_partitions=num_partitions, counters=True), dense={})
