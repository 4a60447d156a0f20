"""The newest contents of creators whom the person follows, and of categories they asked for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import IdArray
from messages.identifiers import keys_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal
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
    by_key = [recent.rows_of(key, key_column) for key in sorted(keys)]
    by_key = [rows[~request.has_seen(rows)][:count] for rows in by_key]
    if not any(len(rows) for rows in by_key):
        return Proposal.of(np.empty(0, dtype=np.int64))
    rows = np.concatenate(by_key)
    turns = np.concatenate([np.arange(len(rows)) for rows in by_key])
    anchors = np.repeat(np.array(sorted(keys), dtype=np.uint64), [len(rows) for rows in by_key])
    chosen = np.argsort(turns, kind="stable")[:count]
    return Proposal.of(rows[chosen], -turns[chosen], anchors[chosen])
