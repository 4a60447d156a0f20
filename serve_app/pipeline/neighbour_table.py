"""What recently active people thought of contents, and who of them is like somebody.

A replica sees every person's state with their own requests, so the table fills and follows by serving alone:
no second reader of the stream, nothing more in the deltas, and after a restart it is warm within seconds of
traffic. Several replicas each know a sample of the active people, which is what a neighbourhood needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from learners.user_state import UserState
from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from messages.identifiers import MISSING_KEY, key_of

WATCHED, LIKED = 1.0, 2.0
"""Ratings: a skipped content 0, a watched one 1, one liked, saved or shared 2."""

_DAMPING = 5.0
"""Ratings at the mean that a bias has beside its own: few ratings make no bias (Koren, KDD 2008, 2.1)."""

_OVERLAP_DAMPING = 3.0
"""Contents in common that similarity has to prove itself against (Herlocker et al., SIGIR 1999, 5.2)."""


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
        rated = {key: WATCHED * viewed for key, viewed in state.engagements.items()}
        rated |= dict.fromkeys(state.liked_contents, LIKED)
        kept = list(rated.items())[-limit:]
        return cls(
            np.array([key for key, _ in kept], dtype=np.uint64),
            np.array([value for _, value in kept], dtype=np.float32),
        )


@dataclass(frozen=True, slots=True)
class Predictions:
    """What neighbours rate above their own means. keys: uint64 [n]. ratings: predicted, float64 [n]."""

    keys: IdArray
    ratings: DoubleArray


@dataclass(slots=True)
class _Content:
    total: float = 0.0
    count: int = 0
    raters: list[int] = field(default_factory=list)
    """Slots, the newest last. May name people who have since forgotten the content: ratings are compared."""


class NeighbourTable:
    """User-based kNN by cosine, with biases, over the newest ratings of the people who asked last.

    Bounded: max_people * max_ratings ratings, and as many contents at most. Deterministic: a function of the
    states observed, in their order. One thread.
    """

    def __init__(self, settings: NeighbourSettings) -> None:
        self._settings = settings
        self._slots: dict[int, int] = {}  # person -> slot, who asked last comes last
        self._contents: dict[int, _Content] = {}
        shape = (settings.max_people, settings.max_ratings)
        self._keys: IdArray = np.full(shape, MISSING_KEY, dtype=np.uint64)
        self._values: FloatArray = np.zeros(shape, dtype=np.float32)
        self._means: DoubleArray = np.zeros(settings.max_people)
        self._norms: DoubleArray = np.zeros(settings.max_people)
        self._counts: IntArray = np.zeros(settings.max_people, dtype=np.int64)
        self._total = 0.0
        self._num_ratings = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def num_contents(self) -> int:
        return len(self._contents)

    def observe(self, state: UserState) -> None:
        """Take in what a person thinks now, in place of what they thought before."""
        ratings = Ratings.of(state, self._settings.max_ratings)
        if not len(ratings):
            return
        slot = self._slot_of(key_of(state.user_id))
        count = len(ratings)
        if (
            count == self._counts[slot]
            and (self._keys[slot, :count] == ratings.keys).all()
            and (self._values[slot, :count] == ratings.values).all()
        ):
            return
        before, now = dict(self._of_slot(slot)), dict(_pairs(ratings))
        for key, value in before.items():
            if now.get(key) != value:
                self._forget(key, value)
        for key, value in now.items():
            if before.get(key) != value:
                self._rate(key, value, slot)
        self._keys[slot, :count], self._keys[slot, count:] = ratings.keys, MISSING_KEY
        self._values[slot, :count], self._values[slot, count:] = ratings.values, 0.0
        self._means[slot] = ratings.values.mean()
        self._norms[slot] = np.linalg.norm(ratings.values)
        self._counts[slot] = count

    def predict(self, state: UserState) -> Predictions:
        """Predict ratings of what a person's neighbours liked: r = m + b_u + b_c + sum w_n (r_nc - m_n).

        Specification, section 4.2. m: mean of all ratings; b_u, b_c: how far person and content lie from it;
        w_n: neighbour n's share of the similarity of all k; m_n: their mean. A neighbour who does not know a
        content adds nothing, so what many of them rate weighs more.
        """
        ratings = Ratings.of(state, self._settings.max_ratings)
        slots, weights = self._neighbours(key_of(state.user_id), ratings)
        keys = self._keys[slots]
        known = keys != MISSING_KEY
        deviations = (self._values[slots] - self._means[slots, None]) * weights[:, None]
        contents, inverse = np.unique(keys[known], return_inverse=True)
        pulls = np.bincount(inverse, weights=deviations[known], minlength=len(contents))
        raised = pulls > 0
        contents, pulls = contents[raised], pulls[raised]
        mean = self._total / max(self._num_ratings, 1)
        own_bias = float((ratings.values - mean).sum()) / (len(ratings) + _DAMPING)
        biases = np.array([self._bias(key, mean) for key in contents.tolist()])
        return Predictions(contents, mean + own_bias + biases + pulls)

    def _neighbours(self, user_key: int, ratings: Ratings) -> tuple[IntArray, DoubleArray]:
        """Return up to k slots and their weights, which add up to 1."""
        met: list[int] = []
        for key, value in _pairs(ratings):
            if value > 0 and key in self._contents:
                met += self._contents[key].raters
        counts = np.bincount(np.array(met, dtype=np.int64))
        own = self._slots.get(user_key, -1)
        if 0 <= own < len(counts):
            counts[own] = 0
        slots = np.flatnonzero(counts)
        if len(slots) > self._settings.max_compared:
            most = np.argsort(-counts[slots], kind="stable")[: self._settings.max_compared]
            slots = slots[most]
        if not len(slots):
            return slots, np.zeros(0)
        order = np.argsort(ratings.keys)
        own_keys, own_values = ratings.keys[order], ratings.values[order]
        keys = self._keys[slots]
        places = np.minimum(np.searchsorted(own_keys, keys), len(own_keys) - 1)
        shared = own_keys[places] == keys
        products = (own_values[places] * self._values[slots] * shared).sum(axis=1)
        overlap = shared.sum(axis=1)
        norms = self._norms[slots] * np.linalg.norm(ratings.values)
        similarity = products / np.maximum(norms, 1e-12) * overlap / (overlap + _OVERLAP_DAMPING)
        nearest = np.argsort(-similarity, kind="stable")[: self._settings.num_neighbours]
        nearest = nearest[similarity[nearest] > 0]
        weights = similarity[nearest]
        return slots[nearest], weights / weights.sum() if len(weights) else weights

    def _bias(self, key: int, mean: float) -> float:
        content = self._contents[key]
        return (content.total - mean * content.count) / (content.count + _DAMPING)

    def _slot_of(self, user_key: int) -> int:
        """Make a person the newest and return their slot, where needed that of who asked longest ago."""
        slot = self._slots.pop(user_key, None)
        if slot is None:
            slot = len(self._slots)
            if slot == self._settings.max_people:
                oldest = next(iter(self._slots))
                slot = self._slots.pop(oldest)
                for key, value in self._of_slot(slot):
                    self._forget(key, value)
                self._counts[slot] = 0
        self._slots[user_key] = slot
        return slot

    def _of_slot(self, slot: int) -> Iterator[tuple[int, float]]:
        count = int(self._counts[slot])
        return _pairs(Ratings(self._keys[slot, :count], self._values[slot, :count]))

    def _rate(self, key: int, value: float, slot: int) -> None:
        content = self._contents.setdefault(key, _Content())
        content.total += value
        content.count += 1
        self._total += value
        self._num_ratings += 1
        if slot in content.raters:
            content.raters.remove(slot)
        content.raters.append(slot)
        if len(content.raters) > self._settings.max_raters:
            del content.raters[0]

    def _forget(self, key: int, value: float) -> None:
        content = self._contents[key]
        content.total -= value
        content.count -= 1
        self._total -= value
        self._num_ratings -= 1
        if content.count == 0:
            del self._contents[key]


def _pairs(ratings: Ratings) -> Iterator[tuple[int, float]]:
    return zip(ratings.keys.tolist(), ratings.values.tolist(), strict=True)
