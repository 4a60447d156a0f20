"""How many lists a search must look through: as many as it takes to find what recent queries should find."""

from __future__ import annotations

from bisect import bisect_left
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
    num_probes, recall = yield from _probes_for(index, queries, min_recall, index.num_probes)
    num_probes_alike = num_probes
    if anchors is not None and len(anchors):
        before = index.num_probes_alike if index.num_calibrated_by else num_probes
        num_probes_alike, _ = yield from _probes_for(index, anchors, min_recall, before)
    index.num_probes, index.num_probes_alike = num_probes, num_probes_alike
    index.num_calibrated_by, index.calibrated_recall = len(queries), recall
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
    index: InvertedIndex, queries: Sequence[FloatArray] | FloatArray, min_recall: float, before: int
) -> Generator[None, None, tuple[int, float]]:
    """Return how few lists are enough for these queries, and the recall reached with them. before: how many
    were probed so far: the number is sought from there, which is near, since it is sought again and again."""
    if not len(queries):
        return before, float("nan")
    true = []
    for query in queries:
        true.append(index.search(query, TRUE_TOP, num_probes=index.num_lists))
        yield
    levels = list(_rising(FIRST_PROBES, index.num_lists))
    level = min(bisect_left(levels, before), len(levels) - 1)
    recall = yield from _recall_with(index, queries, true, levels[level], min_recall)
    if recall >= min_recall:
        while level > 0:
            fewer = yield from _recall_with(index, queries, true, levels[level - 1], min_recall)
            if fewer < min_recall:
                break
            level, recall = level - 1, fewer
    while recall < min_recall and level < len(levels) - 1:
        level += 1
        recall = yield from _recall_with(index, queries, true, levels[level], min_recall)
    return levels[level], recall


def _recall_with(
    index: InvertedIndex,
    queries: Sequence[FloatArray] | FloatArray,
    true: Sequence[IntArray],
    probes: int,
    min_recall: float,
) -> Generator[None, None, float]:
    """Return the mean recall with so many lists; where it is lower than wanted, of those searches that it
    took to see that."""
    recalls: list[float] = []
    for query, expected in zip(queries, true, strict=True):
        recalls.append(recall_of([expected], [index.search(query, FOUND_TOP, num_probes=probes)]))
        yield
        missed = len(recalls) - sum(recalls)
        if missed > (1 - min_recall) * len(queries):
            break
    return float(np.mean(recalls))


def _rising(first: int, last: int) -> Iterator[int]:
    """Yield numbers of lists, each a quarter more than the one before."""
    while first < last:
        yield first
        first = first * 5 // 4
    yield last
