"""EXAMPLES as a log to evaluate policies on: what was shown, with which chance, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from messages.arrays import DoubleArray
from messages.examples import HEAD_INDEX, ExampleBatch, LabelKind
from monitoring.off_policy import LoggedRows, OffPolicyError


def rows_of_examples(
    batches: Sequence[ExampleBatch], *, epsilon: float, target_epsilon: float, head: str = "engage"
) -> LoggedRows:
    """Take the rows that close an impression; clusters are people. Raises OffPolicyError if there are none.

    epsilon, target_epsilon: of the logging and of the other epsilon-greedy policy (0 never explores, 1 only
    does). head: whose label is the reward; one that a terminal event decides (engage, long_view, complete).
    """
    column = HEAD_INDEX[head]
    rewards, propensities, people = [], [], []
    for batch in batches:
        joined = batch.joined
        if joined is None:
            continue
        labels = joined.labels[:, column]
        positive = labels == LabelKind.OBSERVED_POSITIVE
        closing = positive | (labels == LabelKind.OBSERVED_NEGATIVE)
        rewards.append(positive[closing].astype(np.float64))
        propensities.append(joined.propensities[closing].astype(np.float64))
        people.append(batch.user_keys[joined.rows[closing]])
    if not rewards:
        raise OffPolicyError("no row of these examples has found its impression")
    logged = np.concatenate(propensities)
    return LoggedRows(
        rewards=np.concatenate(rewards),
        propensities=logged,
        target_propensities=with_other_epsilon(logged, epsilon, target_epsilon),
        clusters=np.concatenate(people),
    )


def with_other_epsilon(propensities: DoubleArray, epsilon: float, target_epsilon: float) -> DoubleArray:
    """Return the chance of the same choices under another rate of exploration, float64 [n].

    The policy places the best with 1 - epsilon, else one of m drawn uniformly. From the logged chance
    follows which it was: (1 - epsilon) + epsilon / m for the best, epsilon / m for the others. That is only
    unambiguous where 1 - epsilon lies above any epsilon / m. Raises OffPolicyError.
    """
    if not 0 < epsilon < 0.5:
        raise OffPolicyError(f"epsilon {epsilon}: a log tells the best from the drawn only between 0 and 0.5")
    if not 0 <= target_epsilon <= 1:
        raise OffPolicyError(f"target_epsilon {target_epsilon}: must lie in [0, 1]")
    rounding = 1e-6  # propensities travel as float32
    best = propensities >= 1 - epsilon - rounding
    if (propensities[~best] > epsilon + rounding).any():
        raise OffPolicyError(f"propensities do not come from exploration with epsilon {epsilon}")
    drawn = np.clip(np.where(best, propensities - (1 - epsilon), propensities), 0, epsilon)
    others = drawn * (target_epsilon / epsilon)
    return np.asarray(np.clip(np.where(best, 1 - target_epsilon + others, others), 0, 1), dtype=np.float64)
