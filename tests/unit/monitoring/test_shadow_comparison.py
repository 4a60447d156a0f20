import numpy as np
import pytest

from messages.examples import HEADS, LabelKind
from monitoring.shadow_comparison import ShadowComparison, row_losses


def scored(seed: int, n: int, noise: float) -> tuple[np.ndarray, ...]:
    """Rows of people, their labels, an honest model's chances and a noisier one's."""
    generator = np.random.default_rng(seed)
    truth = generator.beta(2, 3, (n, len(HEADS)))
    labels = np.where(
        generator.random(truth.shape) < truth, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE
    ).astype(np.uint8)
    labels[:, 3:] = LabelKind.PROVISIONAL_NEGATIVE
    worse = np.clip(truth + generator.normal(0, noise, truth.shape), 0.01, 0.99)
    people = generator.integers(1, 400, size=n).astype(np.uint64)
    return people, labels, truth.astype(np.float32), worse.astype(np.float32)


def test_losses_count_only_what_is_sure() -> None:
    labels = np.full((1, len(HEADS)), LabelKind.PROVISIONAL_NEGATIVE, np.uint8)
    labels[0, :2] = LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE
    losses, numbers = row_losses(labels, np.full((1, len(HEADS)), 0.25, np.float32))
    assert losses[0] == pytest.approx(-np.log(0.25) - np.log(0.75))
    assert numbers[0] == 2


def test_the_better_model_is_found_whichever_it_is_also_after_a_crash() -> None:
    people, labels, honest, noisy = scored(0, 6_000, noise=0.2)
    for production, candidate, sign in ((honest, noisy, 1), (noisy, honest, -1)):
        comparison = ShadowComparison()
        for part in np.array_split(np.arange(6_000), 5):
            comparison.add(people[part], labels[part], production[part], candidate[part])
            look = comparison.look()
            comparison = ShadowComparison.decode(comparison.encode())
        assert look is not None
        assert look.is_above if sign > 0 else look.is_below
        expected = (row_losses(labels, candidate)[0] - row_losses(labels, production)[0]).sum() / 18_000
        assert float(look.estimate) == pytest.approx(expected, abs=1e-6)
        assert comparison.num_rows == 6_000


def test_two_equal_models_are_not_told_apart() -> None:
    people, labels, _, first = scored(1, 4_000, noise=0.1)
    second = np.clip(first + np.random.default_rng(2).normal(0, 1e-3, first.shape), 0.01, 0.99)
    comparison = ShadowComparison()
    comparison.add(people, labels, first, second.astype(np.float32))
    look = comparison.look()
    assert look is not None
    assert not look.is_above
    assert not look.is_below


def test_few_people_say_nothing() -> None:
    people, labels, honest, noisy = scored(3, 50, noise=0.1)
    comparison = ShadowComparison(min_people=100)
    comparison.add(people, labels, honest, noisy)
    assert comparison.look() is None
    assert comparison.num_people == len(np.unique(people))
