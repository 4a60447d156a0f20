"""What collisions cost: Monolith's Figure 7 (arXiv 2209.07663), again, on any EXAMPLES stream.

The collisionless table against hashed ones of several sizes, each named by its rows in proportion to the ids
that occur. Everything else is equal: the order, the counters, the first dense weights of a seed.
"""

from __future__ import annotations

from collections.abc import Sequence

from threadpoolctl import threadpool_limits

from learners.training_settings import TrainingSettings
from messages.examples import ExampleBatch
from simulations.batch_learner import BatchLearner
from simulations.experiments.comparison import Comparison
from simulations.experiments.example_sources import ExampleSource, Say
from simulations.experiments.hashing_trick import HashingTrick, distinct_ids
from simulations.experiments.progressive_auc import AucCurve, ProgressiveAuc
from simulations.experiments.seeded_training import with_seed
from simulations.prepared_examples import read_batches

COLLISIONLESS = "collisionless"
TABLE_SIZES: tuple[float, ...] = (2.0, 1.0, 0.5, 0.25, 0.125)


def variant_of(size: float) -> str:
    """Return the name of a hashed table with so many rows for each id."""
    return f"{size:g}x"


def compare_collisions(
    source: ExampleSource,
    training: TrainingSettings,
    *,
    seeds: Sequence[int],
    sizes: Sequence[float] = TABLE_SIZES,
    say: Say = lambda _: None,
) -> Comparison:
    """Learn every seed's stream once with each table."""
    variants = [COLLISIONLESS, *(variant_of(size) for size in sizes)]
    curves: dict[str, list[AucCurve]] = {variant: [] for variant in variants}
    collided: dict[str, list[float]] = {variant: [] for variant in variants}
    for seed in seeds:
        batches = read_batches(source.prepare(seed))
        ids = distinct_ids(batches)
        own = with_seed(training, seed)
        for variant, size in zip(variants, [None, *sizes], strict=True):
            say(f"{source.name}, seed {seed}: {variant}")
            trick = None
            if size is not None:
                rows = {slot: round(size * len(of_slot)) for slot, of_slot in ids.items()}
                trick = HashingTrick(rows, salt=seed)
            collided[variant].append(0.0 if trick is None else trick.collided_share(ids))
            curves[variant].append(_learn(batches, own, trick))
    facts = {variant: {"collided_share": sum(shares) / len(shares)} for variant, shares in collided.items()}
    return Comparison(COLLISIONLESS, curves, facts)


def _learn(batches: list[ExampleBatch], training: TrainingSettings, trick: HashingTrick | None) -> AucCurve:
    learner = BatchLearner(training, mapping=trick)
    auc = ProgressiveAuc(len(batches))
    with threadpool_limits(1):  # small matrices: threads only wait for each other
        for number, batch in enumerate(batches):
            auc.add(number, learner.learn(batch))
    return auc.curve()
