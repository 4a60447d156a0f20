"""From what the store holds of a person to a request that the stages can work on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from learners.key_sets import first_of_each
from learners.user_state import UserState
from messages.arrays import FloatArray, IdArray
from messages.identifiers import key_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.ranking_request import FeedRequest, PersonRows, RankingRequest


class StoredUser(Protocol):
    """One person as the store gives them, in one round trip; `actors.user_store.StoredUser`.

    state: `UserState.to_bytes`, None for somebody unknown. served: keys of contents shown before, uint64 [s].
    rows: the person's own embedding rows, `ModelReplica.row_group` -> slot -> float32 [d]. shown: by row
    group, the highest version counter that an answer to this person named. notice: rises when an operator has
    changed something (`serve_app.operator_changes`).
    """

    @property
    def state(self) -> bytes | None: ...

    @property
    def profile(self) -> Mapping[str, Any] | None: ...

    @property
    def served(self) -> IdArray: ...

    @property
    def rows(self) -> Mapping[str, Mapping[str, FloatArray]]: ...

    @property
    def shown(self) -> Mapping[str, int]: ...

    @property
    def notice(self) -> int: ...


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
        seen = seen[first_of_each(seen, np.empty(len(seen), dtype=np.int64), 0)]
        excluded = self._replica.state.contents.find(seen)
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
