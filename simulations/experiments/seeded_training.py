"""Training settings of one seed."""

from __future__ import annotations

from learners.training_settings import TrainingSettings


def with_seed(training: TrainingSettings, seed: int) -> TrainingSettings:
    """Return the same settings with other first dense weights."""
    return training.model_copy(update={"model": training.model.model_copy(update={"seed": seed})})
