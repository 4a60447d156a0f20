"""How many lists a search must look through: as many as it takes to find what recent queries should find."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

import numpy as np

from messages.arrays import FloatArray, IntArray
from serve_app.inverted_index import InvertedIndex

TRUE_TOP, FOUND_TOP = 100, 500
"""Recall is the share of the true best TRUE_TOP among the FOUND_TOP found: what retrieval must not lose for
ranking."""

FIRST_PROBES = 8


def calibration(
    index: InvertedIndex,
    queries: Sequence[FloatArray] | FloatArray,
    anchors: Sequence[FloatArray] | FloatArray | None,
    min_recall: float,
) -> Generator[None, None, float]:
    """Set the numbers of lists that `index` probes; a step is one search, so that requests come in between.

    queries, anchors: q vectors, float32 [dimension] each, such as people and contents are searched for with;
    of none the numbers stay as they are. Returns the recall reached by people's, NaN of none.
    """
    num_probes, recall = yield from _probes_for(index, queries, min_recall)
    num_probes_alike = num_probes
    if anchors is not None and len(anchors):
        num_probes_alike, _ = yield from _probes_for(index, anchors, min_recall)
    index.num_probes, index.num_probes_alike = num_probes, num_probes_alike
    index.num_calibrated_by = len(queries)
    return recall


def recall_of(true: Iterable[IntArray], found: Iterable[IntArray]) -> float:
    """Return which share of the true rows is among those found, int64 [...] each for q searches, -1 for
    none."""
    shares = [
        np.isin(expected[expected >= 0], got).mean()
        for expected, got in zip(true, found, strict=True)
        if (expected >= 0).any()
    ]
    return float(np.mean(shares)) if shares else 1.0


def _probes_for(
    index: InvertedIndex, queries: Sequence[FloatArray] | FloatArray, min_recall: float
) -> Generator[None, None, tuple[int, float]]:
    """Return how many lists these queries need, and the recall reached with them."""
    if not len(queries):
        return index.num_probes, float("nan")
    true = []
    for query in queries:
        true.append(index.search(query, TRUE_TOP, num_probes=index.num_lists))
        yield
    for probes in _rising(FIRST_PROBES, index.num_lists):
        recalls = []
        for query, expected in zip(queries, true, strict=True):
            recalls.append(recall_of([expected], [index.search(query, FOUND_TOP, num_probes=probes)]))
            yield
        if np.mean(recalls) >= min_recall:
            break
    return probes, float(np.mean(recalls))


def _rising(first: int, last: int) -> Iterator[int]:
    """Yield numbers of lists, each half as many again as the one before."""
    while first < last:
        yield first
        first = first * 3 // 2
    yield last
