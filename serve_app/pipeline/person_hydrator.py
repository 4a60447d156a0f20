"""From what the store holds of a person to a request that the stages can work on."""

from __future__ import annotations

import numpy as np

from learners.key_sets import numbered
from learners.user_state import UserState
from messages.identifiers import key_of
from messages.stored_user import StoredUser
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.ranking_request import FeedRequest, PersonRows, RankingRequest


class PersonHydrator:
    """Decodes the state, lays the person's own rows before the replica's and finds what they have seen."""

    def __init__(self, replica: ModelReplica) -> None:
        self._replica = replica

    def hydrate(
        self, request: FeedRequest, stored: StoredUser, now: float, generator: np.random.Generator
    ) -> RankingRequest:
        """Rows of another lineage than the replica's are left out: a rollback may come between load and this.

        Raises MalformedMessageError where the store's bytes are no state.
        """
        state = (
            UserState.empty(request.user_id) if stored.state is None else UserState.from_bytes(stored.state)
        )
        hidden = np.array(sorted(state.hidden_contents), dtype=np.uint64)
        seen = np.concatenate([stored.served, state.history, hidden])
        _, once = numbered(seen)
        excluded = self._replica.state.contents.find(seen[once])
        own_rows = stored.rows.get(self._replica.row_group, {})
        return RankingRequest(
            user_id=request.user_id,
            limit=request.limit,
            context=request.context,
            now=now,
            state=state,
            profile=stored.profile,
            served=stored.served,
            excluded=excluded[excluded >= 0],
            rows=PersonRows(self._replica, key_of(request.user_id), own_rows),
            generator=generator,
            explain=request.explain,
        )
