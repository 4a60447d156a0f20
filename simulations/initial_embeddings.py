"""First rows of people and contents from who engaged with what, before any gradient (specification, 3.4).

    factorization   truncated SVD of the person x content matrix, its entries damped and weighed against
                    popularity (shifted positive PMI: Levy and Goldberg, NIPS 2014)
    deepwalk        random walks on the graph of people and contents (DeepWalk: Perozzi et al., KDD 2014);
                    instead of skip-gram's passes over them, the matrix that it factorizes implicitly is
                    factorized (NetMF: Qiu et al., WSDM 2018)

Both give people and contents places in one space, in which those who go together lie together: what the
products of the ranking model and the histories of the retrieval model start from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from learners.features.schema import CONTENT_SLOT, RETRIEVAL_SLOT, USER_SLOT
from learners.label_weights import is_positive
from learners.ranking_model import RankingModelSettings, slot_dimensions
from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from messages.examples import HEAD_INDEX, ExampleBatch
from messages.identifiers import MISSING_KEY
from messages.updates import Rows

InitialMethod = Literal["none", "factorization", "deepwalk"]

WALKS_PER_NODE = 8
WALK_LENGTH = 20
WINDOW = 4


class Engagements:
    """Who engaged with what, gathered from batches."""

    def __init__(self) -> None:
        self._people: list[IdArray] = []
        self._contents: list[IdArray] = []

    def add(self, batch: ExampleBatch) -> None:
        joined = batch.joined
        if joined is None:
            return
        ids = joined.features.ids
        engaged = is_positive(joined.labels[:, HEAD_INDEX["engage"]])
        engaged &= (ids["user"] != MISSING_KEY) & (ids["content"] != MISSING_KEY)
        self._people.append(ids["user"][engaged])
        self._contents.append(ids["content"][engaged])

    def matrix(self) -> tuple[IdArray, IdArray, Any]:
        """Return the keys of people and of contents, and how often each engaged with each (sparse)."""
        empty = np.empty(0, dtype=np.uint64)
        people, rows = np.unique(np.concatenate([empty, *self._people]), return_inverse=True)
        contents, columns = np.unique(np.concatenate([empty, *self._contents]), return_inverse=True)
        counts = sparse.csr_matrix(
            (np.ones(len(rows)), (rows, columns)), shape=(len(people), len(contents)), dtype=np.float64
        )
        return people, contents, counts


def initial_rows_of(
    batches: Iterable[ExampleBatch], method: InitialMethod, settings: RankingModelSettings, seed: int = 0
) -> dict[str, Rows]:
    """Return births for the slots of people, contents and retrieval; none where nobody engaged.

    Rows are scaled to the mean length that the model gives to births; biases are 0.
    """
    engagements = Engagements()
    for batch in batches:
        engagements.add(batch)
    people, contents, counts = engagements.matrix()
    if method == "none" or counts.nnz == 0:
        return {}
    dimensions = slot_dimensions(settings)
    births = {}
    for slots, norm in (
        ({USER_SLOT: people, CONTENT_SLOT: contents}, settings.content_birth_norm),
        ({RETRIEVAL_SLOT: contents}, settings.retrieval_birth_norm),
    ):
        width = dimensions[next(iter(slots))] - 1
        of_people, of_contents = places(counts, method, width, seed)
        vectors = {USER_SLOT: of_people, CONTENT_SLOT: of_contents, RETRIEVAL_SLOT: of_contents}
        for slot, keys in slots.items():
            births[slot] = Rows(keys, _with_bias(_scaled(vectors[slot], norm)))
    return births


def places(
    counts: Any, method: InitialMethod, dimension: int, seed: int = 0
) -> tuple[DoubleArray, DoubleArray]:
    """Return vectors of people and of contents, float64 [p, dimension] and [c, dimension]."""
    num_people = counts.shape[0]
    if method == "factorization":
        left, values, right = _svd(_positive_pmi(counts), dimension, seed)
        root = np.sqrt(values)
        return left * root, right.T * root
    together = co_occurrences(counts, np.random.default_rng(seed))
    left, values, _ = _svd(_positive_pmi(together), dimension, seed)
    nodes = left * np.sqrt(values)
    return nodes[:num_people], nodes[num_people:]


def co_occurrences(counts: Any, draws: np.random.Generator) -> Any:
    """Walk from every node and return how often two nodes stand within WINDOW steps, sparse [p + c, p + c].

    counts: sparse [p, c]; a step goes along an engagement, likelier where there were more of them.
    """
    graph = sparse.csr_matrix(sparse.bmat([[None, counts], [counts.T, None]]))
    starts = np.tile(np.arange(graph.shape[0]), WALKS_PER_NODE)
    walks = np.empty((WALK_LENGTH, len(starts)), dtype=np.int64)
    walks[0] = starts
    cumulative = np.concatenate([[0.0], np.cumsum(graph.data)])
    for step in range(1, WALK_LENGTH):
        walks[step] = _next_nodes(graph, cumulative, walks[step - 1], draws)
    total = sparse.csr_matrix(graph.shape, dtype=np.float64)
    for distance in range(1, WINDOW + 1):
        before, after = walks[:-distance].ravel(), walks[distance:].ravel()
        total = total + sparse.csr_matrix((np.ones(len(before)), (before, after)), shape=graph.shape)
    return total + total.T


def _next_nodes(graph: Any, cumulative: DoubleArray, nodes: IntArray, draws: np.random.Generator) -> IntArray:
    """Draw a neighbour of each node in proportion to the edge. Every node has one: it engaged."""
    low, high = cumulative[graph.indptr[nodes]], cumulative[graph.indptr[nodes + 1]]
    wanted = low + draws.random(len(nodes)) * (high - low)
    edges = np.searchsorted(cumulative, wanted, side="right") - 1
    neighbours: IntArray = graph.indices[np.clip(edges, graph.indptr[nodes], graph.indptr[nodes + 1] - 1)]
    return neighbours


def _positive_pmi(counts: Any) -> Any:
    """Return max(log(n_ij N / (n_i n_j)), 0), sparse. n: damped, so that repeats add ever less."""
    damped = counts.copy().tocoo()
    damped.data = np.log1p(damped.data)
    of_row = np.asarray(damped.sum(axis=1)).ravel()
    of_column = np.asarray(damped.sum(axis=0)).ravel()
    information = np.log(damped.data * damped.data.sum() / (of_row[damped.row] * of_column[damped.col]))
    positive = information > 0
    return sparse.csr_matrix(
        (information[positive], (damped.row[positive], damped.col[positive])), shape=damped.shape
    )


def _svd(matrix: Any, dimension: int, seed: int) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Return the leading singular triplets, filled up with zeros where the matrix has not so many."""
    rank = min(dimension, min(matrix.shape) - 1)
    left = np.zeros((matrix.shape[0], dimension))
    values = np.zeros(dimension)
    right = np.zeros((dimension, matrix.shape[1]))
    if rank > 0 and matrix.nnz:
        start = np.random.default_rng(seed).standard_normal(min(matrix.shape))
        left[:, :rank], values[:rank], right[:rank] = svds(matrix, k=rank, v0=start)
    return left, values, right


def _scaled(vectors: DoubleArray, norm: float) -> FloatArray:
    mean = float(np.linalg.norm(vectors, axis=1).mean())
    return (vectors * (norm / mean if mean > 0 else 0.0)).astype(np.float32)


def _with_bias(vectors: FloatArray) -> FloatArray:
    return np.concatenate([vectors, np.zeros((len(vectors), 1), dtype=np.float32)], axis=1)
