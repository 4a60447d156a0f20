"""What comments say of a content: they draw its retrieval row towards their words.

A content begins where its own description puts it (`content_births.py`). Its audience says what else it is:
the distance to the direction of a comment's words is a small part of the loss, so that a content that people
talk about in common words is found beside others of which they say the same. Only comments on an impression
that was joined teach, as with every other event.
"""

from __future__ import annotations

import numpy as np

from learners.content_births import text_projections
from learners.ranking_model import RankingModelSettings
from learners.text_weights import document_statistics
from messages.arrays import FloatArray, IntArray
from messages.examples import ExampleBatch
from messages.features import IdBags


def text_statistics(batch: ExampleBatch) -> dict[str, FloatArray]:
    """Return what the descriptions and comments of a batch add to the counts of words; {} without any."""
    texts = [] if batch.uploads is None else [batch.uploads.text_keys]
    if batch.joined is not None and batch.joined.comment_words is not None:
        texts.append(batch.joined.comment_words)
    return document_statistics(IdBags.concatenate(texts)) if texts else {}


def comment_gradients(
    words: IdBags,
    rows: FloatArray,
    settings: RankingModelSettings,
    document_counts: FloatArray | None,
) -> tuple[IntArray, FloatArray]:
    """Return which of the n rows have words, int64 [m], and the gradient of half the squared distance between
    their retrieval rows and where the words put them, float32 [m, R + 1], 0 for the bias.

    rows: the contents' retrieval rows, float32 [n, R + 1]. Words place a comment on the sphere on which
    contents are born.
    """
    placed = np.flatnonzero(words.lengths())
    directions = text_projections(words.take(placed), rows.shape[1] - 1, document_counts)
    norms = np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-6)
    gradients = np.zeros((len(placed), rows.shape[1]), dtype=np.float32)
    gradients[:, :-1] = rows[placed, :-1] - directions / norms * np.float32(settings.retrieval_birth_norm)
    return placed, gradients
