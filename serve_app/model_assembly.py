"""Puts a model together that follows the shards: replica, pipeline, and the tasks that keep them so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from actors.model_groups import model_of_group, model_plan
from learners.features.schema import RETRIEVAL_SLOT
from learners.ranking_model import RankingModelSettings
from learners.retrieval_model import content_vectors
from learners.training_settings import TrainingSettings
from serve_app.delta_follower import DeltaFollower
from serve_app.feed_settings import FeedSettings
from serve_app.index_keeper import IndexKeeper
from serve_app.model_replica import ModelReplica
from serve_app.models_follower import FollowedModel
from serve_app.pipeline.default_pipeline import build_pipeline
from serve_app.pipeline.served_model import LearnedModel
from serve_app.pipeline.signal_weights import SignalWeights
from serve_app.ports import ModelChanges
from serve_app.serving_metrics import ServingMetrics
from serve_app.serving_models import ServingModel


class ModelAssembly:
    """All models rank by the same stages and one table of signal weights; the rest of each is its own.

    changes: where the deltas of a group come from.
    """

    def __init__(
        self,
        changes: Callable[[str], ModelChanges],
        num_partitions: int,
        feed: FeedSettings,
        metrics: ServingMetrics,
        weights: SignalWeights,
    ) -> None:
        self._changes = changes
        self._num_partitions = num_partitions
        self._feed = feed
        self._metrics = metrics
        self._weights = weights

    def follow(self, group: str, ranking: RankingModelSettings) -> FollowedModel:
        """Begin to follow a group. Call it on a running event loop."""
        plan = model_plan(TrainingSettings(model=ranking), self._num_partitions)
        model_id, _ = model_of_group(group)
        slots = plan.settings.slots
        replica = ModelReplica(model_id, slots, RETRIEVAL_SLOT, content_vectors, self._feed.index)
        follower = DeltaFollower(
            self._changes(group), replica, self._feed.follower, clock=time.time, metrics=self._metrics
        )
        keeper = IndexKeeper(replica, self._metrics, self._feed.index_keeper)
        pipeline = build_pipeline(self._feed.pipeline, replica, LearnedModel(replica), self._weights)
        tasks = asyncio.create_task(follower.run()), asyncio.create_task(keeper.run())
        return FollowedModel(ServingModel(replica, pipeline, follower), tasks)
