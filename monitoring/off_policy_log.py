"""EXAMPLES as a log to evaluate policies on: what was shown, with which chance, and what came of it.

Two questions can be answered from the log alone: what another rate of exploration would earn, and which of
two models has the better taste among what exploration drew uniformly. What another model's whole slate would
earn needs its propensities, which a shadow can log where it scores the same candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from messages.arrays import AnyArray, DoubleArray, IdArray, IntArray
from messages.examples import HEAD_INDEX, ExampleBatch, JoinedExamples, LabelKind
from monitoring.off_policy import LoggedRows, OffPolicyError

Scorer: TypeAlias = Callable[[JoinedExamples], AnyArray]
"""Gives a model's final score of k joined rows, [k], from their features as they were served."""

_ROUNDING = 1e-6
"""Propensities travel as float32."""


def rows_of_examples(
    batches: Sequence[ExampleBatch], *, epsilon: float, target_epsilon: float, head: str = "engage"
) -> LoggedRows:
    """Take the rows that close an impression; clusters are people. Raises OffPolicyError if there are none.

    epsilon, target_epsilon: of the logging and of the other epsilon-greedy policy (0 never explores, 1 only
    does). head: whose label is the reward; one that a terminal event decides (engage, long_view, complete).
    """
    closing = [_closing_rows(batch, head) for batch in batches if batch.joined is not None]
    if not closing:
        raise OffPolicyError("no row of these examples has found its impression")
    logged = np.concatenate([rows.propensities for rows in closing])
    return LoggedRows(
        rewards=np.concatenate([rows.rewards for rows in closing]),
        propensities=logged,
        target_propensities=with_other_epsilon(logged, epsilon, target_epsilon),
        clusters=np.concatenate([rows.user_keys for rows in closing]),
    )


def top_rows_of_exploration(
    batches: Sequence[ExampleBatch],
    scorer: Scorer,
    *,
    epsilon: float,
    top_share: float = 0.2,
    head: str = "engage",
) -> LoggedRows:
    """Ask what a model's favourites among uniformly drawn contents earn: SNIPS of the result is the answer.

    Only places given by a draw that missed the best are used, since all others are as likely there; the
    target takes the `top_share` that the model scores highest. Two models on the same rows can be compared,
    and a candidate's weights with them, before it serves anybody. Raises OffPolicyError.
    """
    if not 0 < top_share <= 1:
        raise OffPolicyError(f"top_share {top_share}: must lie in (0, 1]")
    rewards, scores, people = [], [], []
    for batch in batches:
        if batch.joined is None:
            continue
        rows = _closing_rows(batch, head)
        drawn = rows.propensities < 1 - epsilon - _ROUNDING
        rewards.append(rows.rewards[drawn])
        scores.append(np.asarray(scorer(batch.joined), np.float64)[rows.places[drawn]])
        people.append(rows.user_keys[drawn])
    if sum(len(part) for part in rewards) < 2:
        raise OffPolicyError("exploration has drawn next to nothing in these examples")
    merits = np.concatenate(scores)
    order = np.argsort(-merits, kind="stable")
    chosen = np.zeros(len(merits))
    chosen[order[: max(round(top_share * len(merits)), 1)]] = 1.0
    return LoggedRows(
        rewards=np.concatenate(rewards),
        propensities=np.ones(len(merits)),
        target_propensities=chosen,
        clusters=np.concatenate(people),
    )


@dataclass(frozen=True, slots=True)
class _ClosingRows:
    """m rows that close an impression. places: which of the joined rows they are, int64 [m]."""

    places: IntArray
    rewards: DoubleArray
    propensities: DoubleArray
    user_keys: IdArray


def _closing_rows(batch: ExampleBatch, head: str) -> _ClosingRows:
    joined = batch.joined
    assert joined is not None
    if np.isnan(joined.propensities).any():
        raise OffPolicyError(
            "these examples hold traffic that was not drawn (UCB): it has no propensities, so nothing can be "
            "said about another policy; choose examples of an epsilon-greedy arm"
        )
    labels = joined.labels[:, HEAD_INDEX[head]]
    positive = labels == LabelKind.OBSERVED_POSITIVE
    places = np.flatnonzero(positive | (labels == LabelKind.OBSERVED_NEGATIVE))
    return _ClosingRows(
        places=places,
        rewards=positive[places].astype(np.float64),
        propensities=joined.propensities[places].astype(np.float64),
        user_keys=batch.user_keys[joined.rows[places]],
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
    best = propensities >= 1 - epsilon - _ROUNDING
    if (propensities[~best] > epsilon + _ROUNDING).any():
        raise OffPolicyError(f"propensities do not come from exploration with epsilon {epsilon}")
    drawn = np.clip(np.where(best, propensities - (1 - epsilon), propensities), 0, epsilon)
    others = drawn * (target_epsilon / epsilon)
    return np.asarray(np.clip(np.where(best, 1 - target_epsilon + others, others), 0, 1), dtype=np.float64)
