"""Showing, setting and trying what signals are worth, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from messages.examples import HEADS
from serve_app.model_replica import ModelReplica
from serve_app.operator_changes import OperatorChanges
from serve_app.pipeline.ranking_pipeline import RankedSlate, RankingPipeline
from serve_app.pipeline.ranking_request import FeedRequest
from serve_app.pipeline.signal_weights import SIGNALS, checked_weights
from serve_app.ports import UserStore, WeightStore
from serve_app.recent_people import RecentPeople
from serve_app.serving_models import ServingModel, ServingModels


class NobodyToPreviewError(ValueError):
    """No users were named and this replica has served nobody yet."""


class WeightService:
    """Every change is checked whole before anything of it is stored."""

    def __init__(
        self,
        *,
        store: WeightStore,
        changes: OperatorChanges,
        user_store: UserStore,
        replica: ModelReplica,
        pipeline: RankingPipeline,
        people: RecentPeople,
        clock: Callable[[], float],
        models: ServingModels | None = None,
    ) -> None:
        """replica, pipeline: of the first model; models: of all, where there may be others."""
        self._store = store
        self._changes = changes
        self._user_store = user_store
        self._models = models or ServingModels(ServingModel(replica, pipeline))
        self._people = people
        self._clock = clock

    async def show(self) -> dict[str, Any]:
        """Return the table in force, every signal in it, with its revision."""
        stored = await self._store.read()
        table = self._changes.settings_table if stored is None else stored.table
        return {
            "weights": _complete(table),
            "revision": 0 if stored is None else stored.revision,
            "changed_at": None if stored is None else stored.changed_at,
        }

    async def set(self, raw: Mapping[str, Any], revision: int | None) -> dict[str, Any]:
        """Put a table in force; signals left out count nothing. Raises SignalWeightsError, and the store's
        conflict where `revision` is given and the table has another by now."""
        stored = await self._store.write(checked_weights(raw), revision)
        return {
            "weights": _complete(stored.table),
            "revision": stored.revision,
            "changed_at": stored.changed_at,
        }

    async def preview(
        self, raw: Mapping[str, Any], users: Sequence[str], *, num_users: int, limit: int
    ) -> dict[str, Any]:
        """Rank for people with the table in force and with another; nothing is logged, served or stored.

        users: whose slates; none named: of `num_users` whom this replica served last. Both slates have the
        same candidates, features and draws. Raises SignalWeightsError, NobodyToPreviewError.
        """
        table = checked_weights(raw)
        users = list(users) or self._people.newest(num_users)
        if not users:
            raise NobodyToPreviewError("nobody was served yet: name some users")
        slates = [await self._compare(user, table, limit) for user in users]
        kept = [len(set(before) & set(after)) / max(len(before), 1) for before, after, _ in slates]
        changes = np.mean([change for _, _, change in slates], axis=0)
        return {
            "revision": self._changes.weights.revision,
            "users": [
                {"user_id": user, "before": before, "after": after}
                for user, (before, after, _) in zip(users, slates, strict=True)
            ],
            "contents_kept": round(float(np.mean(kept)), 4),
            "slates_unchanged": sum(before == after for before, after, _ in slates),
            "expected_change": {
                head: round(float(change), 6) for head, change in zip(HEADS, changes, strict=True)
            },
        }

    async def _compare(
        self, user_id: str, table: Mapping[str, float], limit: int
    ) -> tuple[list[str], list[str], np.ndarray[Any, Any]]:
        """Return both slates of a person, and by how much each head's mean prediction differs, [heads]."""
        _, model = self._models.choose(user_id)
        stored = await self._user_store.load(user_id, [model.replica.row_group])
        await self._changes.follow(stored.notice)
        self._changes.withdraw(model.replica)
        now = self._clock()

        def rank() -> RankedSlate:
            request = FeedRequest(user_id, limit)
            return model.pipeline.rank(
                model.hydrator.hydrate(request, stored, now, np.random.default_rng(len(user_id)))
            )

        before = rank()
        with self._changes.weights.tried(table):
            after = rank()
        return _ids(before), _ids(after), _means(after) - _means(before)


def _complete(table: Mapping[str, float]) -> dict[str, float]:
    """Name every signal, those too that count nothing."""
    return {name: table.get(name, 0.0) for name in SIGNALS}


def _ids(slate: RankedSlate) -> list[str]:
    return [] if slate.scored is None else slate.scored.contents.content_ids


def _means(slate: RankedSlate) -> np.ndarray[Any, Any]:
    if slate.scored is None:
        return np.zeros(len(HEADS))
    means: np.ndarray[Any, Any] = slate.scored.probabilities[:, : len(HEADS)].mean(axis=0)
    return means
