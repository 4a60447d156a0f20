"""What the joined rows of a batch teach each output of the ranking network: targets, weights, offsets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from learners.label_weights import is_positive, label_weights
from learners.skip_sampling import corrected_for_sampling
from learners.watch_time import watch_targets
from messages.arrays import FloatArray
from messages.examples import HEADS, JoinedExamples


@dataclass(frozen=True, slots=True)
class RankingTargets:
    """Of one cross-entropy per row and output.

    targets: float32 [k, outputs], in [0, 1]. weights: float32 [k, outputs], 0 where nothing is taught.
    offsets: float32 [outputs], added to the logits while they train.
    """

    targets: FloatArray
    weights: FloatArray
    offsets: FloatArray


def ranking_targets(
    joined: JoinedExamples,
    watched: FloatArray,
    probabilities: FloatArray,
    output_weights: FloatArray,
    skip_keep_rate: float,
) -> RankingTargets:
    """Put heads and watch time side by side.

    watched: as from `watched_seconds`. probabilities: predicted, float32 [k, outputs]. output_weights:
    float32 [outputs].
    """
    times, time_weights = watch_targets(watched)
    head_weights = label_weights(joined.labels, probabilities[:, : len(HEADS)])
    offsets, weights = corrected_for_sampling(
        joined.labels, np.column_stack([head_weights, time_weights]) * output_weights, skip_keep_rate
    )
    return RankingTargets(np.column_stack([is_positive(joined.labels), times]), weights, offsets)
