"""How much each word of a text says: TF-IDF over hashed words, its counts kept online.

A text is a description or a comment. The inverse document frequency is log((1 + N) / (1 + n)) + 1 of a word
that n of N texts have (smoothed as in scikit-learn). Words are counted by a hash (Weinberger et al., ICML
2009), so the counts have a bounded size; they are sums of the stream beside the weights, as those of
`online_scaling.py`.
"""

from __future__ import annotations

import numpy as np

from messages.arrays import FloatArray, IntArray
from messages.features import IdBags
from messages.identifiers import mix

DOCUMENT_COUNTS = "text.document_counts"
"""[1, 1 + NUM_WORD_BUCKETS]: number of texts, then how many of them have a word of each bucket."""

NUM_WORD_BUCKETS = 4_096


def initial_document_counts() -> dict[str, FloatArray]:
    return {DOCUMENT_COUNTS: np.zeros((1, 1 + NUM_WORD_BUCKETS), dtype=np.float32)}


def word_weights(words: IdBags, counts: FloatArray) -> FloatArray:
    """Return the inverse document frequency of every word, float32 [m], beside `words.values`; 1 for all of
    an empty stream. A word that stands twice counts twice: that is its term frequency."""
    documents = counts[0].astype(np.float64)
    frequencies = np.log((1 + documents[0]) / (1 + documents[1 + _buckets(words)])) + 1
    weights: FloatArray = np.maximum(frequencies, 0.0).astype(np.float32)
    return weights


def document_statistics(words: IdBags) -> dict[str, FloatArray]:
    """Return what n texts, a bag of words each, add to the counts; those without words are none."""
    lengths = words.lengths()
    added = np.zeros((1, 1 + NUM_WORD_BUCKETS), dtype=np.float32)
    added[0, 0] = np.count_nonzero(lengths)
    document = np.repeat(np.arange(len(words)), lengths)
    once = np.unique(document * NUM_WORD_BUCKETS + _buckets(words)) % NUM_WORD_BUCKETS
    added[0, 1:] = np.bincount(once, minlength=NUM_WORD_BUCKETS)
    return {DOCUMENT_COUNTS: added}


def _buckets(words: IdBags) -> IntArray:
    return (mix(words.values) % np.uint64(NUM_WORD_BUCKETS)).astype(np.int64)
