"""What a learned model must beat: popularity, recency, and neighbours of what a person engaged with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from messages.arrays import DoubleArray, IntArray
from simulations.interaction_table import InteractionTable

_PRIOR = 5.0


class OfflineModel(Protocol):
    """Learns rows, then answers; the catalogue is numbered in the order of `contents`."""

    name: str

    def fit(self, table: InteractionTable, contents: Sequence[str]) -> None: ...

    def scores(self, user_id: str, numbers: IntArray) -> DoubleArray:
        """Order contents for a person: the higher the better, float64 [n]."""
        ...

    def probabilities(self, user_id: str, numbers: IntArray) -> DoubleArray | None:
        """Return the chance that each is viewed, float64 [n]; None for a model that only orders."""
        ...


class PopularModel:
    """Orders by the number of views; the chance is the content's own share of views, smoothed."""

    name = "popular"

    def fit(self, table: InteractionTable, contents: Sequence[str]) -> None:
        numbers = _numbers(table, contents)
        engaged = table.rows["engaged"].to_numpy(dtype=np.float64)
        shown = np.bincount(numbers, minlength=len(contents))
        self._viewed = np.bincount(numbers, weights=engaged, minlength=len(contents))
        mean = engaged.mean() if len(engaged) else 0.5
        self._chances = (self._viewed + _PRIOR * mean) / (shown + _PRIOR)

    def scores(self, user_id: str, numbers: IntArray) -> DoubleArray:  # noqa: ARG002
        return self._viewed[numbers]

    def probabilities(self, user_id: str, numbers: IntArray) -> DoubleArray | None:  # noqa: ARG002
        return self._chances[numbers]


class RecentModel:
    """Orders by the time of the last view."""

    name = "recent"

    def fit(self, table: InteractionTable, contents: Sequence[str]) -> None:
        engaged = table.rows["engaged"].to_numpy(dtype=np.bool_)
        self._last = np.zeros(len(contents))
        np.maximum.at(self._last, _numbers(table, contents)[engaged], table.rows["time"].to_numpy()[engaged])

    def scores(self, user_id: str, numbers: IntArray) -> DoubleArray:  # noqa: ARG002
        return self._last[numbers]

    def probabilities(self, user_id: str, numbers: IntArray) -> DoubleArray | None:  # noqa: ARG002
        return None


class NeighboursModel:
    """Item-based neighbours (Sarwar et al., WWW 2001): the sum over a person's views of the cosine of their
    viewers with the candidate's, kept for the nearest `num_neighbours` of each view."""

    name = "kNN"

    def __init__(self, num_neighbours: int = 50) -> None:
        self._num_neighbours = num_neighbours

    def fit(self, table: InteractionTable, contents: Sequence[str]) -> None:
        viewers, self._people = engagement_matrix(table, contents)
        self._viewed = viewers.T.tocsr()  # a row for each person
        count = min(self._num_neighbours + 1, len(contents))
        search = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(viewers)
        likeness = search.kneighbors_graph(viewers, mode="distance")
        likeness.data = 1.0 - likeness.data
        likeness.setdiag(0.0)
        likeness.eliminate_zeros()
        self._likeness = likeness.tocsr()

    def scores(self, user_id: str, numbers: IntArray) -> DoubleArray:
        person = self._people.get(user_id)
        if person is None:
            return np.zeros(len(numbers))
        totals: DoubleArray = np.asarray((self._viewed[person] @ self._likeness).todense()).ravel()
        return totals[numbers]

    def probabilities(self, user_id: str, numbers: IntArray) -> DoubleArray | None:  # noqa: ARG002
        return None


def engagement_matrix(
    table: InteractionTable, contents: Sequence[str]
) -> tuple[sparse.csr_matrix, dict[str, int]]:
    """Return who viewed what, ones in float32 [contents, people], and the number of each person."""
    engaged = table.rows["engaged"].to_numpy(dtype=np.bool_)
    names = table.rows["user_id"].to_numpy()[engaged]
    people: dict[str, int] = {}
    columns = np.array([people.setdefault(name, len(people)) for name in names], dtype=np.int64)
    rows = _numbers(table, contents)[engaged]
    shape = (len(contents), max(len(people), 1))
    matrix = sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
    matrix.data[:] = 1.0  # a pair seen twice counts once
    return matrix, people


def _numbers(table: InteractionTable, contents: Sequence[str]) -> IntArray:
    places = {content: place for place, content in enumerate(contents)}
    return np.array([places[content] for content in table.rows["content_id"]], dtype=np.int64)
