"""Everything the HTTP endpoints do, without HTTP: store, pipeline and publisher put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.content import ContentFacts
from messages.events import ContentMetadata, parse_event
from messages.identifiers import DEFAULT_NUM_PARTITIONS, key_of
from messages.impressions import Impression, ModelVersion
from serve_app.delta_follower import DeltaFollower
from serve_app.event_intake import EventIntake, IntakeAnswer
from serve_app.feed_answer import about_content, feed_answer
from serve_app.model_replica import NO_VERSION, ModelReplica
from serve_app.operator_changes import OperatorChanges
from serve_app.pipeline.person_hydrator import PersonHydrator
from serve_app.pipeline.ranking_pipeline import RankedSlate, RankingPipeline
from serve_app.pipeline.ranking_request import FeedRequest, RankingRequest
from serve_app.ports import Catalogue, FeedPublisher, UserStore
from serve_app.recent_people import RecentPeople
from serve_app.serving_metrics import ServingMetrics
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
    ) -> None:
        """changes: what operators change, taken up with each request. workers: what joiner, learner, shards
        and so on last said of themselves, by role."""
        self._user_store = user_store
        self._catalogue = catalogue
        self._publisher = feed_publisher
        self._replica = replica
        self._pipeline = pipeline
        self._clock = clock
        self._generator = generator
        self._num_partitions = num_partitions
        self._settings = settings or FeedServiceSettings()
        self._follower = follower
        self._workers = workers
        self._changes = changes
        self.people = RecentPeople()
        self._hydrator = PersonHydrator(replica)
        self._turns = UserTurns()
        self._started = clock()
        self.metrics = metrics or ServingMetrics()
        self._intake = EventIntake(catalogue, feed_publisher, self.metrics)

    async def feed(self, request: FeedRequest) -> dict[str, Any]:
        """Rank a slate, and answer once the broker has its impression and the store its contents as
        served.

        Successive answers to a person never go back a version, whichever replicas give them: one that is
        behind waits for its model. Where that has been away for longer, it serves on and says so.
        """
        async with self._turns.of(request.user_id):
            group = self._replica.row_group
            stored = await self._user_store.load(request.user_id, [group])
            behind = await self._catch_up(stored.shown.get(group, NO_VERSION))
            if self._changes is not None:
                await self._changes.follow(stored.notice)
                self._changes.withdraw()
            ranking = self._hydrator.hydrate(request, stored, self._clock(), self._generator)
            slate = self._pipeline.rank(ranking)
            request_id = self._generator.bytes(12).hex()
            answer = feed_answer(
                ranking,
                request_id,
                slate,
                self._replica,
                num_partitions=self._num_partitions,
                explain=request.explain,
            )
            if request.about is not None:
                answer["about"] = self._about(request.about, ranking, slate)
            if behind is not None:
                answer["model"]["behind"] = behind
            version, group = self._replica.version, self._replica.row_group
            if version is not None:
                shown = np.empty(0, dtype=np.uint64)
                if slate.scored is not None:
                    impression = self._impression(ranking, request_id, slate, version)
                    shown = impression.contents.content_keys
                    # One after the other: contents remembered as served while the broker is away would be
                    # lost to this person with every retry, and an impression nobody saw teaches nothing.
                    await self._publisher.publish_impression(impression)
                await self._user_store.add_served(request.user_id, shown, group, version.counter)
        self.people.saw(request.user_id)
        self._count(slate, answer)
        return answer

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

    def health(self) -> dict[str, Any]:
        """Say whether this replica can serve; a stale model is a warning, since it serves on."""
        reasons, warnings = [], []
        if self._replica.version is None:
            reasons.append("no version of the model has arrived yet")
        else:
            age = self._clock() - self._replica.as_of
            if age > self._settings.stale_after_seconds:
                warnings.append(f"the model is {age:.0f} s old")
        if self._follower is not None and self._follower.last_error is not None:
            warnings.append(f"following the model fails: {self._follower.last_error}")
        for role, worker in self._workers().items():
            if not worker["running"]:
                warnings.append(f"{role} is down: {worker['failure'] or 'it has ended'}")
        return {"live": True, "ready": not reasons, "reasons": reasons, "warnings": warnings}

    def status(self) -> dict[str, Any]:
        """Return plain facts for people: version, positions by partition, sizes."""
        now, version = self._clock(), self._replica.version
        return {
            **self.health(),
            "uptime_seconds": round(now - self._started, 1),
            "model": {
                "id": self._replica.model_id,
                "version": None if version is None else str(version),
                "lineage": None if version is None else version.lineage,
                "counter": None if version is None else version.counter,
                "age_seconds": None if version is None else round(max(0.0, now - self._replica.as_of), 3),
            },
            "partitions": {
                str(partition): asdict(position)
                for partition, position in sorted(self._replica.positions.items())
            },
            "replica": self._replica.statistics(),
            "workers": dict(self._workers()),
        }

    async def _catch_up(self, shown: int) -> str | None:
        """Wait until this replica is where the person has been shown already; else name that version."""
        if self._follower is None or shown <= self._replica.counter:
            return None
        if await self._follower.reached(shown, self._settings.catch_up_seconds):
            return None
        self.metrics.feeds_behind.inc()
        version = self._replica.version
        return str(shown) if version is None else f"{version.lineage}.{shown}"

    def _about(self, content_id: str, ranking: RankingRequest, slate: RankedSlate) -> dict[str, Any]:
        row = int(self._replica.state.contents.find(np.array([key_of(content_id)], dtype=np.uint64))[0])
        considered = None if row < 0 else self._pipeline.consider(ranking, row)
        return about_content(content_id, considered, slate, limit=ranking.limit)

    def _impression(
        self, request: RankingRequest, request_id: str, slate: RankedSlate, version: ModelVersion
    ) -> Impression:
        assert slate.scored is not None
        return Impression(
            request_id=request_id,
            user_id=request.user_id,
            timestamp=request.now,
            model=version,
            arm=self._settings.arm,
            context=request.context,
            contents=slate.scored.contents,
            propensities=slate.propensities,
            scores=slate.scored.scores.astype(np.float32),
            sources=slate.sources,
            features=slate.scored.features,
        )

    def _count(self, slate: RankedSlate, answer: dict[str, Any]) -> None:
        self.metrics.observe_trace(slate.trace)
        for source in slate.sources:
            self.metrics.items_served.labels(source).inc()
        if answer["exhausted"]:
            self.metrics.short_answers.inc()
