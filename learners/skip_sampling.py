"""Trains on a share of the skips only, where there are so many that they cost more than they teach.

Monolith (arXiv 2209.07663, section 2.2.2) samples negatives and corrects the log-odds, so that what is served
is the true rate. Of rows kept with a chance of r, the odds of an engagement are 1/r times the true ones: the
head `engage` is trained on its logit less log r, and so its own logit is the true one. For the other heads a
skip is one negative among others and no constant mends their odds; there a kept skip weighs 1/r.

A kept skip weighs 1/r for the watch time too.

How to wire: `batch = sample_skips(mini_batch.batch(), settings.skip_keep_rate)` before `pull_request`; the
training step, which knows the same setting, does the rest. Rows stay rows of the batch, so counters count all
of them. Among the rows kept, engagement is more frequent than it is: calibration is to be read with r = 1.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from messages.arrays import BoolArray, ByteArray, FloatArray
from messages.examples import HEAD_INDEX, ExampleBatch, JoinedExamples, LabelKind
from messages.identifiers import mix

_ENGAGE = HEAD_INDEX["engage"]


def sample_skips(batch: ExampleBatch, keep_rate: float) -> ExampleBatch:
    """Keep each joined skip with a chance of `keep_rate`, in (0, 1], and all other rows.

    The draw is a hash of request and content: a batch that is read again keeps the same rows.
    """
    joined = batch.joined
    if keep_rate >= 1 or joined is None:
        return batch
    draws = mix(joined.request_keys ^ mix(joined.features.ids["content"])).astype(np.float64) / 2.0**64
    kept = np.flatnonzero(~is_skip(joined.labels) | (draws < keep_rate))
    return dataclasses.replace(
        batch,
        joined=JoinedExamples(
            rows=joined.rows[kept],
            features=joined.features.take(kept),
            labels=joined.labels[kept],
            watch_seconds=joined.watch_seconds[kept],
            slate_positions=joined.slate_positions[kept],
            propensities=joined.propensities[kept],
            served_scores=joined.served_scores[kept],
            request_keys=joined.request_keys[kept],
            arms=[joined.arms[row] for row in kept],
            model_ids=[joined.model_ids[row] for row in kept],
            model_versions=[joined.model_versions[row] for row in kept],
            engage_chances=None if joined.engage_chances is None else joined.engage_chances[kept],
            comment_words=None if joined.comment_words is None else joined.comment_words.take(kept),
        )
        if len(kept)
        else None,
    )


def is_skip(labels: ByteArray) -> BoolArray:
    """Say which rows closed an example without an engagement, bool [k]. labels: uint8 [k, heads]."""
    skipped: BoolArray = labels[:, _ENGAGE] == LabelKind.OBSERVED_NEGATIVE
    return skipped


def corrected_for_sampling(
    labels: ByteArray, weights: FloatArray, keep_rate: float
) -> tuple[FloatArray, FloatArray]:
    """Return what is added to each output's logit while it trains, [outputs], and the weights mended.

    labels: LabelKind, uint8 [k, heads]. weights: float32 [k, outputs], the heads' columns first.
    """
    offsets = np.zeros(weights.shape[1], dtype=np.float32)
    if keep_rate >= 1:
        return offsets, weights
    offsets[_ENGAGE] = -np.log(keep_rate)
    corrected = weights.copy()
    others = np.arange(weights.shape[1]) != _ENGAGE
    corrected[np.ix_(is_skip(labels), others)] /= np.float32(keep_rate)
    return offsets, corrected
