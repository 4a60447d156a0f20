"""Models side by side on a log that was held back: how well they foretell, and what they would show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import faiss
import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import threadpool_limits

from messages.arrays import BoolArray, DoubleArray, IntArray
from simulations.hashed_draws import uniform_draws
from simulations.interaction_table import InteractionTable
from simulations.offline_baselines import OfflineModel
from simulations.offline_metrics import catalogue_metrics, list_metrics, mean_of, pair_metrics
from simulations.offline_table import fold_splits, temporal_split

_PEOPLE = np.array([511], dtype=np.uint64)


class EvaluationSettings(BaseModel):
    """k: length of the top lists. folds: None for one split by time, with the first `train_share` learned.
    max_people: whose lists are made, drawn by a hash; pairs are taken from everybody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: int = Field(default=10, ge=1)
    folds: int | None = Field(default=None, ge=2)
    train_share: float = Field(default=0.8, gt=0, lt=1)
    max_people: int = Field(default=500, ge=1)
    seed: int = 0


def evaluate(
    table: InteractionTable,
    models: Sequence[Callable[[], OfflineModel]],
    settings: EvaluationSettings,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[str, float | None]]:
    """Return metrics by model, the means over folds where there are several. models: each makes a new one.

    Raises ValueError where the table is too small to be split.
    """
    if len(table) < 10:
        raise ValueError(f"{len(table)} rows are too few to hold some back")
    found: dict[str, list[dict[str, float | None]]] = {}
    faiss.omp_set_num_threads(1)
    with threadpool_limits(1):
        for number, (train, test) in enumerate(_splits(table, settings), 1):
            asked = _Questions(train, test, settings)
            for make in models:
                model = make()
                tell(f"{model.name}, split {number}")
                model.fit(train, asked.contents)
                found.setdefault(model.name, []).append(asked.answers_of(model))
    return {name: mean_of(rows) for name, rows in found.items()}


def _splits(
    table: InteractionTable, settings: EvaluationSettings
) -> Iterator[tuple[InteractionTable, InteractionTable]]:
    if settings.folds is None:
        yield temporal_split(table, settings.train_share)
    else:
        yield from fold_splits(table, settings.folds, settings.seed)


class _Questions:
    """What every model is asked: the pairs held back, and lists of what a person has not met.

    The candidates of a person are all contents of the log but those met in training; relevant are those
    viewed in the part held back.
    """

    def __init__(self, train: InteractionTable, test: InteractionTable, settings: EvaluationSettings) -> None:
        self._settings = settings
        # Sorted: the order in time of the rows held back must not break ties.
        self.contents = sorted({*train.rows["content_id"], *test.rows["content_id"]})
        places = {content: place for place, content in enumerate(self.contents)}
        self._tags = [
            {*facts.metadata.tags, facts.metadata.category} - {""}
            for facts in (test.contents[content] for content in self.contents)
        ]
        self._seen = _sets(train, places)
        self._labels: BoolArray = test.rows["engaged"].to_numpy(dtype=np.bool_)
        self._numbers: IntArray = np.array([places[c] for c in test.rows["content_id"]], dtype=np.int64)
        self._rows_of: dict[str, IntArray] = {
            str(person): np.asarray(rows) for person, rows in test.rows.groupby("user_id").indices.items()
        }
        self._viewers = np.zeros(len(self.contents))
        for numbers in self._seen.values():
            self._viewers[numbers] += 1

    def answers_of(self, model: OfflineModel) -> dict[str, float | None]:
        scores = np.zeros(len(self._labels))
        probabilities: DoubleArray | None = np.zeros(len(self._labels))
        for person, rows in self._rows_of.items():
            scores[rows] = model.scores(person, self._numbers[rows])
            chances = model.probabilities(person, self._numbers[rows])
            if chances is None or probabilities is None:
                probabilities = None
            else:
                probabilities[rows] = chances
        lists, by_person = self._lists(model)
        return {
            **pair_metrics(self._labels, scores, probabilities),
            **mean_of(by_person),
            **catalogue_metrics(lists, len(self.contents), self._viewers, len(self._seen), self._tags),
            "people": float(len(by_person)),
        }

    def _lists(self, model: OfflineModel) -> tuple[list[IntArray], list[dict[str, float | None]]]:
        k = self._settings.k
        lists: list[IntArray] = []
        found: list[dict[str, float | None]] = []
        for person in self._people():
            rows = self._rows_of[person]
            viewed = self._numbers[rows][self._labels[rows]]
            is_candidate = np.ones(len(self.contents), dtype=np.bool_)
            is_candidate[self._seen.get(person, np.empty(0, dtype=np.int64))] = False
            candidates = np.flatnonzero(is_candidate)
            relevant = np.isin(candidates, viewed)
            if not relevant.any():
                continue
            scores = model.scores(person, candidates)
            found.append({**list_metrics(relevant, scores, k)})
            lists.append(candidates[np.argsort(-scores, kind="stable")[:k]])
        return lists, found

    def _people(self) -> list[str]:
        people = sorted(self._rows_of)
        draws = uniform_draws(self._settings.seed, _PEOPLE, np.arange(len(people), dtype=np.uint64))[0]
        return [people[place] for place in np.argsort(draws)[: self._settings.max_people]]


def _sets(table: InteractionTable, places: dict[str, int]) -> dict[str, IntArray]:
    """Return the numbers of the contents that each person met, unique."""
    numbers = np.array([places[content] for content in table.rows["content_id"]], dtype=np.int64)
    return {
        str(person): np.unique(numbers[rows])
        for person, rows in table.rows.groupby("user_id").indices.items()
    }
