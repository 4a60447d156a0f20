"""Other people's recommenders beside ours; each is there only where its package is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from messages.arrays import DoubleArray, IntArray
from simulations.interaction_table import InteractionTable
from simulations.offline_baselines import OfflineModel, engagement_matrix

_VW_OPTIONS = "--quiet --loss_function logistic --link logistic -b 20 -q ui -q uc -q ut --random_seed 1"


class AlternatingLeastSquares:
    """`implicit`'s ALS on views (Hu, Koren and Volinsky, ICDM 2008)."""

    name = "ALS (implicit)"

    def __init__(self, *, factors: int = 32, iterations: int = 15) -> None:
        self._factors = factors
        self._iterations = iterations

    def fit(self, table: InteractionTable, contents: Sequence[str]) -> None:
        from implicit.cpu.als import AlternatingLeastSquares as Solver

        matrix, self._people = engagement_matrix(table, contents)
        solver = Solver(factors=self._factors, iterations=self._iterations, random_state=1, num_threads=1)
        solver.fit(matrix.T.tocsr(), show_progress=False)
        self._user_factors, self._item_factors = solver.user_factors, solver.item_factors

    def scores(self, user_id: str, numbers: IntArray) -> DoubleArray:
        person = self._people.get(user_id)
        if person is None:
            return np.zeros(len(numbers))
        return np.asarray(self._item_factors[numbers] @ self._user_factors[person], dtype=np.float64)

    def probabilities(self, user_id: str, numbers: IntArray) -> DoubleArray | None:  # noqa: ARG002
        return None


class VowpalWabbit:
    """Logistic regression over ids, category and tags and their products with the person, one pass in order
    of time."""

    name = "Vowpal Wabbit"

    def fit(self, table: InteractionTable, contents: Sequence[str]) -> None:
        import vowpalwabbit

        self._workspace: Any = vowpalwabbit.Workspace(_VW_OPTIONS)
        self._texts = [_content_text(table, content) for content in contents]
        places = {content: place for place, content in enumerate(contents)}
        for row in table.rows.itertuples(index=False):
            label = 1 if row.engaged else -1
            self._workspace.learn(f"{label} |u {_name(row.user_id)}{self._texts[places[row.content_id]]}")

    def scores(self, user_id: str, numbers: IntArray) -> DoubleArray:
        return np.array(
            [
                self._workspace.predict(f"|u {_name(user_id)}{self._texts[number]}")
                for number in numbers.tolist()
            ],
            dtype=np.float64,
        )

    def probabilities(self, user_id: str, numbers: IntArray) -> DoubleArray | None:
        return self.scores(user_id, numbers)


def installed_peers() -> list[OfflineModel]:
    """Return those whose package can be imported: the extra `bench` installs them."""
    peers: list[OfflineModel] = []
    if importlib.util.find_spec("implicit"):
        peers.append(AlternatingLeastSquares())
    if importlib.util.find_spec("vowpalwabbit"):
        peers.append(VowpalWabbit())
    return peers


def _content_text(table: InteractionTable, content: str) -> str:
    metadata = table.contents[content].metadata
    tags = " ".join(_name(tag) for tag in metadata.tags)
    category = _name(metadata.category) if metadata.category else ""
    return f" |i {_name(content)} |c {category} |t {tags}"


def _name(text: str) -> str:
    """Take out what has a meaning in Vowpal Wabbit's format."""
    return "_" + "".join("_" if letter in " :|\n\t" else letter for letter in text)
