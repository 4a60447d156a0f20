"""Dense weights: Adam, its decaying rate, and who has seen which version."""

from __future__ import annotations

import numpy as np

from parameter_server.dense_parameters import DenseParameters, DenseState
from parameter_server.settings import DenseSettings


def dense_of(settings: DenseSettings, **weights: np.ndarray) -> DenseParameters:
    dense = DenseParameters(settings)
    for name, values in weights.items():
        dense.put(name, DenseState.beginning(values), 0)
    return dense


def test_makes_the_steps_of_adam_with_a_decaying_rate() -> None:
    settings = DenseSettings(learning_rate=0.1, decay_gamma=0.5, floor=0.0, l2=0.01)
    weights = np.linspace(-1, 1, 6).reshape(2, 3)
    dense = dense_of(settings, layer=weights)
    random = np.random.default_rng(1)
    expected, first, second = weights.copy(), np.zeros((2, 3)), np.zeros((2, 3))
    for step in range(5):
        gradient = random.standard_normal((2, 3)).astype(np.float32)
        dense.apply({"layer": gradient}, step + 1)
        slope = gradient + 0.01 * expected
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        rate = 0.1 / (1 + 0.5 * step)
        mean, square = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        expected -= rate * mean / (np.sqrt(square) + 1e-8)
    np.testing.assert_allclose(dense.newer_than(-1)["layer"], expected, rtol=1e-4, atol=1e-6)


def test_the_rate_never_falls_below_its_floor() -> None:
    settings = DenseSettings(learning_rate=1e-2, decay_gamma=1.0, floor=1e-3)
    assert settings.rate_at(0) == 1e-2
    assert settings.rate_at(1) == 5e-3
    assert settings.rate_at(10**9) == 1e-3


def test_a_gradient_is_clipped_by_the_norm_of_its_own_array() -> None:
    settings = DenseSettings(clip_norm=1.0)
    small, large = dense_of(settings, a=np.ones(4)), dense_of(settings, a=np.ones(4))
    direction = np.array([0.5, -0.5, 0.5, 0.5], dtype=np.float32)
    small.apply({"a": direction}, 1)
    large.apply({"a": 1000 * direction}, 1)
    np.testing.assert_allclose(small.newer_than(0)["a"], large.newer_than(0)["a"], rtol=1e-6)


def test_only_weights_changed_after_a_version_are_newer() -> None:
    dense = dense_of(DenseSettings(), a=np.ones(2), b=np.ones(3))
    dense.apply({"a": np.ones(2, dtype=np.float32)}, 5)
    assert dense.newer_than(-1).keys() == {"a", "b"}
    assert dense.newer_than(0).keys() == {"a"}
    assert dense.newer_than(5) == {}


def test_what_was_read_does_not_change_later() -> None:
    dense = dense_of(DenseSettings(), a=np.ones(2))
    read = dense.newer_than(-1)["a"]
    dense.apply({"a": np.ones(2, dtype=np.float32)}, 1)
    assert read.tolist() == [1.0, 1.0]
