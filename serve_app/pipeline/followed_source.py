"""The newest contents of creators whom the person follows, and of categories they asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import IdArray
from messages.identifiers import keys_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import NO_PROPOSAL, Proposal
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.recent_contents import RecentContents


class FollowedSettings(BaseModel):
    """The bound of each of the two sources: followed creators, preferred categories."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_candidates: int = Field(60, ge=0)


class FollowedCreatorsSource:
    """Takes turns among creators followed by an event or in the profile."""

    name = "followed_creators"

    def __init__(self, settings: FollowedSettings, replica: ModelReplica) -> None:
        self._num_candidates = settings.num_candidates
        self._replica = replica

    def propose(self, request: RankingRequest) -> Proposal:
        state = self._replica.state
        stated = keys_of(request.preference("creators_followed")).tolist()
        creators = {*request.state.followed_creators, *stated}
        return _newest(creators, state.by_creator, state.contents.creator_keys, request, self._num_candidates)


class PreferredCategoriesSource:
    """Takes turns among the categories that a person named in the profile: what a newcomer starts from."""

    name = "preferred_categories"

    def __init__(self, settings: FollowedSettings, replica: ModelReplica) -> None:
        self._num_candidates = settings.num_candidates
        self._replica = replica

    def propose(self, request: RankingRequest) -> Proposal:
        state = self._replica.state
        categories = keys_of(request.preference("categories")).tolist()
        return _newest(
            categories, state.by_category, state.contents.category_keys, request, self._num_candidates
        )


def _newest(
    keys: Iterable[int], recent: RecentContents, key_column: IdArray, request: RankingRequest, count: int
) -> Proposal:
    """Propose up to `count` contents: the newest of every key, then the second newest of every key ..."""
    rising = sorted(keys)
    by_key = [recent.rows_of(key, key_column) for key in rising]
    if not any(map(len, by_key)):
        return NO_PROPOSAL
    rows, lengths = np.concatenate(by_key), np.array([len(rows) for rows in by_key])
    places, owners, turns = _take_turns(request.has_seen(rows), lengths, count)
    return Proposal.of(rows[places], -turns, np.array(rising, dtype=np.uint64)[owners])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _take_turns(seen: Any, lengths: Any, count: Any) -> Any:
    """Let k lists, behind each other in one of n, name in turn their next member that was not seen, `count`
    at most.

    seen: bool [n]. lengths: int64 [k]. Returns place, list and turn of each, int64 [<= count].
    """
    count = min(count, len(seen))
    places, owners = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    turns = np.empty(count, dtype=np.int64)
    ends = np.cumsum(lengths)
    following = ends - lengths
    filled, turn, some = 0, 0, True
    while some and filled < count:
        some = False
        for owner in range(len(lengths)):
            place = following[owner]
            while place < ends[owner] and seen[place]:
                place += 1
            following[owner] = place + 1
            if place < ends[owner] and filled < count:
                places[filled], owners[filled], turns[filled] = place, owner, turn
                filled += 1
                some = True
        turn += 1
    return places[:filled], owners[:filled], turns[:filled]
