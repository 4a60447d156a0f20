"""The fused kernels against the textbook's formulas, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from messages.updates import RowGradients
from parameter_server.embedding_table import EmbeddingTable
from parameter_server.initializers import initial_rows
from parameter_server.settings import OptimizerName, SlotSettings

OPTIMIZERS: tuple[OptimizerName, ...] = ("sgd", "adagrad", "rowwise_adagrad", "adam", "ftrl")
IDS = np.array([11, 12, 13], dtype=np.uint64)


class TextbookOptimizer:
    def __init__(self, settings: SlotSettings, weights: np.ndarray) -> None:
        self.settings = settings
        self.weights = weights.astype(np.float64)
        self.squares = np.full_like(self.weights, settings.initial_accumulator)
        self.first = np.zeros_like(self.weights)
        self.second = np.zeros_like(self.weights)
        self.steps = 0
        total = np.sqrt(settings.initial_accumulator)
        self.z = -self.weights * ((settings.beta + total) / settings.learning_rate + settings.l2)
        self.z -= np.sign(self.weights) * settings.l1

    def step(self, gradient: np.ndarray, scale: float) -> None:
        settings, slope = self.settings, gradient.astype(np.float64)
        if settings.clip is not None:
            norms = np.linalg.norm(slope, axis=1, keepdims=True)
            slope = slope * np.minimum(1.0, settings.clip / norms)
        rate = settings.learning_rate * scale
        if settings.optimizer == "ftrl":
            total = self.squares + slope**2
            self.z += slope - (np.sqrt(total) - np.sqrt(self.squares)) / rate * self.weights
            self.squares = total
            shrunk = np.sign(self.z) * np.maximum(np.abs(self.z) - settings.l1, 0.0)
            self.weights = -shrunk / ((settings.beta + np.sqrt(total)) / rate + settings.l2)
            return
        slope = slope + settings.l2 * self.weights
        if settings.optimizer == "sgd":
            self.weights -= rate * slope
        elif settings.optimizer == "adam":
            self.steps += 1
            self.first = settings.beta1 * self.first + (1 - settings.beta1) * slope
            self.second = settings.beta2 * self.second + (1 - settings.beta2) * slope**2
            mean = self.first / (1 - settings.beta1**self.steps)
            square = self.second / (1 - settings.beta2**self.steps)
            self.weights -= rate * mean / (np.sqrt(square) + settings.epsilon)
        else:
            added = slope**2
            if settings.optimizer == "rowwise_adagrad":
                added = np.broadcast_to(added.mean(axis=1, keepdims=True), added.shape)
            self.squares += added
            self.weights -= rate * slope / (np.sqrt(self.squares) + settings.epsilon)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("bounds", [{}, {"l2": 0.1, "l1": 0.2, "clip": 0.5}], ids=["free", "bounded"])
def test_moves_rows_as_the_textbook_says(optimizer: OptimizerName, bounds: dict[str, Any]) -> None:
    settings = SlotSettings(dimension=5, optimizer=optimizer, initial_scale=0.5, **bounds)
    table = EmbeddingTable("user", settings)
    textbook = TextbookOptimizer(settings, initial_rows(IDS, 5, 0.5, "user"))
    random = np.random.default_rng(0)
    for version, scale in enumerate((1.0, 0.5, 1.0, 2.0), start=1):
        gradient = random.standard_normal((3, 5)).astype(np.float32)
        table.apply(RowGradients(IDS, gradient, np.ones(3, dtype=np.uint32)), version, scale)
        textbook.step(gradient, scale)
    np.testing.assert_allclose(table.read(IDS), textbook.weights, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_small_enough_gradient_is_not_clipped(optimizer: OptimizerName) -> None:
    gradients = RowGradients(IDS, np.full((3, 2), 0.1, dtype=np.float32), np.ones(3, dtype=np.uint32))
    free = EmbeddingTable("user", SlotSettings(dimension=2, optimizer=optimizer))
    bounded = EmbeddingTable("user", SlotSettings(dimension=2, optimizer=optimizer, clip=0.2))
    free.apply(gradients, 1)
    bounded.apply(gradients, 1)
    assert np.array_equal(free.read(IDS), bounded.read(IDS))
