"""One request as the stages see it: who asks, when, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from learners.key_sets import KeySet
from learners.request_inputs import CandidateRows
from learners.user_state import UserState
from messages.arrays import BoolArray, FloatArray, IdArray, IntArray
from messages.features import IdBags
from messages.impressions import RequestContext


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """What a client asks for. limit: contents wanted. explain: with the heads of each item. about: the id of
    a content of which the answer must say how it scores and why it is not there."""

    user_id: str
    limit: int
    context: RequestContext = field(default_factory=RequestContext)
    explain: bool = False
    about: str | None = None


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """A request with the person hydrated. Stages read it and change nothing but the generator's state.

    now: epoch seconds. profile: as the person gave it, None where they did not. served: keys of contents
    shown before, uint64 [s]. excluded: row numbers that no source need propose (served, watched, hidden),
    int64. rows: embedding rows, the person's own among them. explain: the answer must say how it came about.
    """

    user_id: str
    limit: int
    context: RequestContext
    now: float
    state: UserState
    profile: Mapping[str, Any] | None
    served: IdArray
    excluded: IntArray
    rows: CandidateRows
    generator: np.random.Generator
    explain: bool = False
    _seen: KeySet = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_seen", KeySet(self.excluded.view(np.uint64)))

    def has_seen(self, rows: IntArray) -> BoolArray:
        """Say which of n contents are excluded, bool [n]."""
        if not len(self.excluded):
            return np.zeros(len(rows), dtype=np.bool_)
        return self._seen.holds(rows.view(np.uint64))

    def unseen(self, rows: IntArray) -> IntArray:
        """Return those of n contents that are not excluded, in their order."""
        return rows[~self.has_seen(rows)]

    @property
    def traits(self) -> Mapping[str, Any] | None:
        """The plain fields of the profile (age group, location, language): features of the model."""
        return None if self.profile is None else self.profile.get("demographics")

    def preference(self, name: str) -> list[str]:
        """Return a list from the profile's preferences (`categories`, `creators_followed`), [] if unsaid."""
        stated = (self.profile or {}).get("preferences", {}).get(name, ())
        return [str(value) for value in stated]


class PersonRows:
    """A replica's rows with one person's own rows in front: those are kept in the store, not in the replica.

    own: slot -> float32 [d], as trained last; without one the person's row is the initial value of their key.
    """

    def __init__(self, shared: CandidateRows, user_key: int, own: Mapping[str, FloatArray]) -> None:
        self._shared = shared
        self._user_key = np.uint64(user_key)
        self._own = own

    def rows(self, slot: str, ids: IdArray) -> FloatArray:
        """Return the rows of `ids`, float32 [m, d]."""
        values = self._shared.rows(slot, ids)
        own = self._own.get(slot)
        if own is not None:
            values[ids == self._user_key] = own
        return values

    def copy_rows(self, slot: str, ids: IdArray, into: FloatArray, column: int) -> None:
        """Write rows of contents, whose slots are no person's, into the columns of `into`."""
        self._shared.copy_rows(slot, ids, into, column)

    def copy_means(self, slot: str, bags: IdBags, into: FloatArray, column: int) -> None:
        self._shared.copy_means(slot, bags, into, column)
