"""What recently active people thought of contents, and who of them is like somebody.

A replica sees every person's state with their own requests, so the table fills and follows by serving alone:
no second reader of the stream, nothing more in the deltas, and after a restart it is warm within seconds of
traffic. Several replicas each know a sample of the active people, which is what a neighbourhood needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import first_of_each
from learners.user_state import UserState
from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from messages.identifiers import key_of
from serve_app.growing_array import GrowingArray
from serve_app.pipeline.last_made import LastMade
from serve_app.pipeline.neighbour_search import own_bias, predictions
from serve_app.pipeline.rated_contents import RatedContents

WATCHED, LIKED = 1.0, 2.0
"""Ratings: a skipped content 0, a watched one 1, one liked, saved or shared 2."""


class NeighbourSettings(BaseModel):
    """max_people, max_ratings: of the table, the newest kept. max_raters: of a content, by whom neighbours
    are found. max_compared: people compared with the one who asks. num_neighbours: k of the kNN."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_people: int = Field(10_000, ge=1)
    max_ratings: int = Field(64, ge=1)
    max_raters: int = Field(64, ge=1)
    max_compared: int = Field(64, ge=1)
    num_neighbours: int = Field(20, ge=1)


@dataclass(frozen=True, slots=True)
class Ratings:
    """What one person thinks of n contents. keys: uint64 [n], each once. values: float32 [n]."""

    keys: IdArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def of(cls, state: UserState, limit: int) -> Ratings:
        """Read ratings off a person's state, the last `limit` of them."""
        return cls(*_ratings(state.history, state.history_engaged, state.liked, limit))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _ratings(history: Any, viewed: Any, liked: Any, limit: Any) -> Any:
    keys = np.concatenate((history, liked))
    numbers = np.empty(len(keys), dtype=np.int64)
    firsts = first_of_each(keys, numbers, 0)
    values = np.empty(len(firsts), dtype=np.float32)
    for index in range(len(keys)):
        values[numbers[index]] = LIKED if index >= len(history) else WATCHED * viewed[index]
    start = max(len(firsts) - limit, 0)
    return keys[firsts[start:]], values[start:]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What neighbours rate above their own means. keys: uint64 [n], rising. ratings: predicted, float64
    [n]."""

    keys: IdArray
    ratings: DoubleArray


class NeighbourTable:
    """User-based kNN by cosine, with biases, over the newest ratings of the people who asked last.

    Bounded: max_people * max_ratings ratings, and as many contents at most. Deterministic: a function of the
    states observed, in their order. One thread.
    """

    def __init__(self, settings: NeighbourSettings) -> None:
        self._settings = settings
        self._slots: dict[int, int] = {}  # person -> slot, who asked last comes last
        self._contents = RatedContents(settings.max_raters)
        shape = (settings.max_people, settings.max_ratings)
        self._keys: IdArray = np.zeros(shape, dtype=np.uint64)
        self._rows: IntArray = np.zeros(shape, dtype=np.int64)  # of the same contents
        self._values: FloatArray = np.zeros(shape, dtype=np.float32)
        self._means: DoubleArray = np.zeros(settings.max_people)
        self._norms: DoubleArray = np.zeros(settings.max_people)
        self._counts: IntArray = np.zeros(settings.max_people, dtype=np.int64)
        self._own_of_row = GrowingArray(np.float32, fill=-1)  # room for the searches
        self._pull_of_row = GrowingArray(np.float64)
        # Read once for `predict` and the `observe` that follows it: within a request nothing changes a state.
        self._ratings: LastMade[UserState, Ratings] = LastMade(
            lambda state: Ratings.of(state, settings.max_ratings)
        )

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def num_contents(self) -> int:
        return len(self._contents)

    def observe(self, state: UserState) -> None:
        """Take in what a person thinks now, in place of what they thought before."""
        ratings = self._ratings.take(state)
        if not len(ratings):
            return
        slot = self._slot_of(key_of(state.user_id))
        before, count = self._of_slot(slot), len(ratings)
        if (
            before.keys.tobytes() == ratings.keys.tobytes()
            and before.values.tobytes() == ratings.values.tobytes()
        ):
            return
        kept, kept_before = _unchanged(ratings.keys, ratings.values, before.keys, before.values)
        self._contents.forget(before.keys[~kept_before], before.values[~kept_before])
        self._contents.rate(ratings.keys[~kept], ratings.values[~kept], slot)
        self._keys[slot, :count], self._values[slot, :count] = ratings.keys, ratings.values
        self._rows[slot, :count] = self._contents.rows(ratings.keys)
        self._means[slot] = ratings.values.sum() / count
        self._norms[slot] = np.sqrt(ratings.values @ ratings.values)
        self._counts[slot] = count

    def predict(self, state: UserState) -> Predictions:
        """Predict ratings of what a person's neighbours liked: r = m + b_u + b_c + sum w_n (r_nc - m_n).

        Specification, section 4.2. m: mean of all ratings; b_u, b_c: how far person and content lie from it;
        w_n: neighbour n's share of the similarity of all k; m_n: their mean. A neighbour who does not know a
        content adds nothing, so what many of them rate weighs more.
        """
        contents, ratings = self._contents, self._ratings.of(state)
        own_rows = contents.rows(ratings.keys)
        met = contents.raters(own_rows[(own_rows >= 0) & (ratings.values > 0)].tolist())
        mean, num_people = contents.mean, len(self._slots)
        for room in (self._own_of_row, self._pull_of_row):
            room.reserve(contents.num_rows)
        rows, predicted = predictions(
            (self._slots.get(key_of(state.user_id), -1), own_rows, ratings.values),
            met,
            self._settings.max_compared,
            self._settings.num_neighbours,
            (self._rows, self._values, self._counts[:num_people], self._means, self._norms),
            (contents.totals, contents.counts, mean),
            mean + own_bias(ratings.values, mean),
            (self._own_of_row.values, self._pull_of_row.values),
        )
        keys = contents.keys[rows]
        rising = np.argsort(keys)  # so that of equal ratings the same come first, whoever came before
        return Predictions(keys[rising], predicted[rising])

    def _slot_of(self, user_key: int) -> int:
        """Make a person the newest and return their slot, where needed that of who asked longest ago."""
        slot = self._slots.pop(user_key, None)
        if slot is None:
            slot = len(self._slots)
            if slot == self._settings.max_people:
                oldest = next(iter(self._slots))
                slot = self._slots.pop(oldest)
                ratings = self._of_slot(slot)
                self._contents.forget(ratings.keys, ratings.values)
                self._counts[slot] = 0
        self._slots[user_key] = slot
        return slot

    def _of_slot(self, slot: int) -> Ratings:
        """Return what the table holds of a person, as views."""
        count = self._counts[slot]
        return Ratings(self._keys[slot, :count], self._values[slot, :count])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _unchanged(keys: Any, values: Any, keys_before: Any, values_before: Any) -> Any:
    """Say which ratings were the same before, bool [n], and which of those before still are, bool [m]."""
    kept, kept_before = np.zeros(len(keys), dtype=np.bool_), np.zeros(len(keys_before), dtype=np.bool_)
    numbers = np.empty(len(keys) + len(keys_before), dtype=np.int64)
    first_of_each(np.concatenate((keys_before, keys)), numbers, 0)
    for index in range(len(keys)):
        before = numbers[len(keys_before) + index]  # its position there, if it was there
        if before < len(keys_before) and values_before[before] == values[index]:
            kept[index] = kept_before[before] = True
    return kept, kept_before
