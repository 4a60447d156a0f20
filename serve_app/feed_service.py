"""Everything the HTTP endpoints do, without HTTP: store, pipeline and publisher put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.content import ContentFacts
from messages.events import ContentMetadata, parse_event
from messages.identifiers import DEFAULT_NUM_PARTITIONS
from serve_app.answer_pulse import AnswerPulse
from serve_app.composed_feed import ComposedFeed, compose_feed
from serve_app.delta_follower import DeltaFollower
from serve_app.event_intake import EventIntake, IntakeAnswer
from serve_app.joint_rankings import JointRankings
from serve_app.model_replica import NO_VERSION, ModelReplica
from serve_app.operator_changes import OperatorChanges
from serve_app.pipeline.ranking_pipeline import RankedSlate, RankingPipeline
from serve_app.pipeline.ranking_request import FeedRequest, RankingRequest
from serve_app.ports import Catalogue, FeedPublisher, UserStore
from serve_app.recent_people import RecentPeople
from serve_app.replica_report import health_report, status_report
from serve_app.served_impression import request_ids
from serve_app.serving_metrics import ServingMetrics
from serve_app.serving_models import ServingModel, ServingModels
from serve_app.steady_user_store import SteadyUserStore
from serve_app.user_report import user_report
from serve_app.user_turns import UserTurns


class FeedServiceSettings(BaseModel):
    """arm: the name under which impressions are logged. stale_after_seconds: age of the model at which health
    warns (it serves on); over a minute, since an idle system moves its positions once a minute.
    catch_up_seconds: how long a person's request waits in a replica that is behind what they were shown by
    another one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arm: str = "production"
    stale_after_seconds: float = Field(90.0, gt=0)
    catch_up_seconds: float = Field(2.0, ge=0)


class FeedService:
    """Serves feeds and takes events, contents and profiles in. No broker, store or framework is known here.

    clock: epoch seconds. generator: request ids and exploration; two replicas must not share its seed.
    """

    def __init__(
        self,
        *,
        user_store: UserStore,
        catalogue: Catalogue,
        feed_publisher: FeedPublisher,
        replica: ModelReplica,
        pipeline: RankingPipeline,
        clock: Callable[[], float],
        generator: np.random.Generator,
        num_partitions: int = DEFAULT_NUM_PARTITIONS,
        settings: FeedServiceSettings | None = None,
        metrics: ServingMetrics | None = None,
        follower: DeltaFollower | None = None,
        workers: Callable[[], Mapping[str, Any]] = dict,
        changes: OperatorChanges | None = None,
        models: ServingModels | None = None,
        store_away: tuple[type[Exception], ...] = (ConnectionError, TimeoutError),
    ) -> None:
        """replica, pipeline, follower: of the first model; models: of all, where there may be others.
        store_away: what the store raises when it is; feeds go on without it. changes: what operators change,
        taken up with each request. workers: what joiner, learner, shards and so on last said of themselves,
        by role."""
        self._user_store = user_store
        self._feed_store = SteadyUserStore(user_store, store_away)
        self._catalogue = catalogue
        self._publisher = feed_publisher
        self._clock = clock
        self._generator = generator
        self._request_ids = request_ids(generator)
        self._num_partitions = num_partitions
        self._settings = settings or FeedServiceSettings()
        self._models = models or ServingModels(ServingModel(replica, pipeline, follower), self._settings.arm)
        self._workers = workers
        self._changes = changes
        self.people = RecentPeople()
        self.pulse = AnswerPulse()
        self._rankings: JointRankings[ComposedFeed] = JointRankings(self.pulse)
        self._turns = UserTurns()
        self._started = clock()
        self.metrics = metrics or ServingMetrics()
        self._intake = EventIntake(catalogue, feed_publisher, self.metrics)

    async def feed(self, request: FeedRequest) -> dict[str, Any]:
        """Rank a slate, and answer once the broker has its impression and the store its contents as
        served (where the store is away: once this replica owes them to it).

        Successive answers to a person never go back a version, whichever replicas give them: one that is
        behind waits for its model. Where that has been away for longer, it serves on and says so. Raises
        NoModelYetError where it never was there.
        """
        async with self._turns.of(request.user_id):
            arm, model = self._models.choose(request.user_id)
            answer, slate = await self._answer(request, arm, model)
        self.people.saw(request.user_id)
        self._count(slate, answer)
        return answer

    async def _answer(
        self, request: FeedRequest, arm: str, model: ServingModel
    ) -> tuple[dict[str, Any], RankedSlate]:
        group = model.replica.row_group
        with self._rankings.coming():
            stored = await self._feed_store.load(request.user_id, [group])
            behind = await self._catch_up(model, stored.shown.get(group, NO_VERSION))
            if self._changes is not None:
                await self._changes.follow(stored.notice)
                self._changes.withdraw(model.replica)

        def hydrate() -> RankingRequest:
            return model.hydrator.hydrate(request, stored, self._clock(), self._generator)

        def compose(ranking: RankingRequest, slate: RankedSlate) -> ComposedFeed:
            request_id, num_partitions = next(self._request_ids), self._num_partitions
            return compose_feed(
                request, ranking, slate, model, request_id=request_id, arm=arm, num_partitions=num_partitions
            )

        feed = await self._rankings.rank(model, hydrate, compose)
        if behind is not None:
            feed.answer["model"]["behind"] = behind
        if stored.remembered:
            feed.answer["remembered"] = True
            self.metrics.feeds_remembered.inc()
        with self._rankings.leaving():
            if feed.impression is not None:
                # One after the other: contents remembered as served while the broker is away would be
                # lost to this person with every retry, and an impression nobody saw teaches nothing.
                observing = asyncio.create_task(_observe(model, feed))
                await self._publisher.publish_impression(feed.impression)
                await observing
            await self._feed_store.add_served(request.user_id, feed.shown, group, feed.version.counter)
        return feed.answer, feed.slate

    async def accept_events(self, raw: list[object]) -> IntakeAnswer:
        return await self._intake.accept(raw)

    async def put_content(
        self, content_id: str, creator_id: str, metadata: ContentMetadata, timestamp: float | None
    ) -> dict[str, Any]:
        """Write the catalogue at once and publish the upload; a content put again keeps its upload time."""
        known = await self._catalogue.get(content_id)
        if timestamp is None:
            timestamp = self._clock() if known is None else known.upload_timestamp
        event = parse_event(
            {
                "event_type": "content_upload",
                "timestamp": timestamp,
                "creator_id": creator_id,
                "content_id": content_id,
                "metadata": metadata.model_dump(exclude_defaults=True),
            }
        )
        positions = await self._intake.publish([event])
        return {**ContentFacts.from_upload(event).to_wire(), "positions": positions}

    async def get_content(self, content_id: str) -> dict[str, Any] | None:
        content = await self._catalogue.get(content_id)
        return None if content is None else content.to_wire()

    async def delete_content(self, content_id: str) -> bool:
        """Take a content out of the catalogue, out of every feed from now on and, with the next sync, out of
        every index. Returns whether it was there."""
        return await self._catalogue.remove(content_id)

    async def put_user(self, user_id: str, profile: dict[str, Any]) -> dict[str, Any]:
        await self._user_store.put_profile(user_id, profile)
        return {"user_id": user_id, **profile}

    async def get_user(self, user_id: str) -> dict[str, Any] | None:
        """Return profile, preferences, history and sessions; None for somebody never heard of."""
        stored = await self._user_store.load(user_id, [])
        return user_report(user_id, stored, self._replica, self._clock())

    @property
    def _replica(self) -> ModelReplica:
        """Of the model that answers everybody who is in no experiment."""
        return self._models.production.replica

    def health(self) -> dict[str, Any]:
        """Say whether this replica can serve; a stale model is a warning, since it serves on."""
        stale_after = self._settings.stale_after_seconds
        store_problem = self._feed_store.problem
        return health_report(self._models, self._workers(), self._clock(), stale_after, store_problem)

    def status(self) -> dict[str, Any]:
        """Return plain facts for people: versions, positions by partition, sizes."""
        now = self._clock()
        return {
            **self.health(),
            "uptime_seconds": round(now - self._started, 1),
            **status_report(self._models, self._workers(), now),
        }

    async def _catch_up(self, model: ServingModel, shown: int) -> str | None:
        """Wait until this replica is where the person has been shown already, and has a version at all; else
        name that version."""
        wanted = max(shown, NO_VERSION + 1)
        if model.follower is None or wanted <= model.replica.counter:
            return None
        if await model.follower.reached(wanted, self._settings.catch_up_seconds):
            return None
        self.metrics.feeds_behind.inc()
        version = model.replica.version
        return str(shown) if version is None else f"{version.lineage}.{shown}"

    def _count(self, slate: RankedSlate, answer: dict[str, Any]) -> None:
        self.metrics.observe_slate(slate)
        if answer["exhausted"]:
            self.metrics.short_answers.inc()


async def _observe(model: ServingModel, feed: ComposedFeed) -> None:
    """Let observers look at a slate while its impression is on the way to the broker and back."""
    await asyncio.sleep(0)  # the connection writes first
    model.pipeline.observe(feed.ranking, feed.slate)
