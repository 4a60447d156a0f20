"""The whole loop in one process, without Ray, broker, store or HTTP: the best way to read it.

    feed      replica -> pipeline -> impression -> FEED
    post      events -> FEED
    advance   FEED -> joiners -> EXAMPLES -> learner -> shards -> delta -> replica

The objects are those of the real system, wired by hand; lists and dicts stand where streams and store do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from actors.model_groups import model_plan
from learners.features.schema import RETRIEVAL_SLOT
from learners.joiner import JoinerSettings
from learners.retrieval_model import content_vectors
from learners.training_settings import TrainingSettings
from messages.arrays import FloatArray, IdArray
from messages.content import ContentFacts
from messages.events import ContentUpload, InvalidEventError, parse_events, to_wire
from messages.feed import FeedMessage
from messages.identifiers import key_of, partition_of
from messages.impressions import Impression, RequestContext
from messages.stored_user import StoredUser
from messages.updates import Rows
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.person_hydrator import PersonHydrator
from serve_app.pipeline.ranking_pipeline import RankedSlate
from serve_app.pipeline.ranking_request import FeedRequest, RankingRequest
from serve_app.pipeline.served_model import LearnedModel
from simulations.in_process_learner import MODEL_GROUP, InProcessLearner
from simulations.in_process_streams import InProcessStreams
from simulations.kuairand import ReplayWindow
from simulations.replay_measurement import ReplayMeasurement
from simulations.replay_report import ReplayReport

NO_CONTEXT = RequestContext()
_NOTHING_SERVED: IdArray = np.empty(0, dtype=np.uint64)


class InProcessSettings(BaseModel):
    """max_rows: of a mini-batch, which takes whole messages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_shards: int = Field(default=2, ge=1)
    max_rows: int = Field(default=256, ge=1)
    joiner: JoinerSettings = JoinerSettings()
    training: TrainingSettings = TrainingSettings()
    pipeline: PipelineSettings = PipelineSettings()


@dataclass(frozen=True, slots=True)
class ServedFeed:
    """An answer. content_ids: best first. model_version: of the weights. slate: with scores and trace."""

    request_id: str
    content_ids: list[str]
    model_version: str
    slate: RankedSlate


class InProcessSystem:
    """Everything of one model. Not for several threads.

    learning: False never trains (states, counters and the catalogue move all the same). seed: of exploration
    and sampling. refit_seconds: learned weights reach the replica only that often, as in a system that is
    refitted in batches; None syncs them with all else. batch: so do people's states and contents' counters,
    as where the job that refits the model computes its features too; what was served is known at once.
    """

    def __init__(
        self,
        settings: InProcessSettings,
        *,
        learning: bool = True,
        seed: int = 0,
        refit_seconds: float | None = None,
        batch: bool = False,
    ) -> None:
        self.settings = settings
        self._refit_seconds = refit_seconds
        self._batch = batch
        self._next_refit = 0.0
        self.streams = InProcessStreams(settings.joiner)
        self._served_states: Mapping[str, tuple[bytes | None, bytes | None]] = (
            {} if batch else self.streams.states
        )
        self.learner = InProcessLearner(
            settings.training,
            num_partitions=settings.joiner.num_partitions,
            num_shards=settings.num_shards,
            max_rows=settings.max_rows,
            learning=learning,
        )
        slots = model_plan(settings.training, settings.joiner.num_partitions).settings.slots
        self.replica = ModelReplica(MODEL_GROUP, slots, RETRIEVAL_SLOT, content_vectors)
        self._pipeline = build_pipeline(settings.pipeline, self.replica, LearnedModel(self.replica))
        self._hydrator = PersonHydrator(self.replica)
        self._generator = np.random.default_rng(seed)
        self._user_rows: dict[int, dict[str, FloatArray]] = {}
        self._served: dict[str, IdArray] = {}
        self._new_contents: list[ContentFacts] = []
        self._num_requests = 0
        self._sync(now=0.0)

    def put_content(self, facts: ContentFacts, now: float) -> dict[int, int]:
        """Take a content into the catalogue; it may be served after the next `advance`.

        Returns the FEED sequence of its upload by partition.
        """
        upload = to_wire(
            ContentUpload(
                event_type="content_upload",
                content_id=facts.content_id,
                creator_id=facts.creator_id,
                timestamp=facts.upload_timestamp,
                metadata=facts.metadata,
            )
        )
        self._new_contents.append(facts)
        return dict([self._append(facts.creator_id, [("event", upload)], now)])

    def post(self, events: Sequence[Mapping[str, Any]], now: float) -> dict[int, int]:
        """Accept events; return the last FEED sequence of each partition they went to.

        Raises InvalidEventError for the first one that is malformed, and then takes none.
        """
        accepted, refused = parse_events([dict(event) for event in events])
        for error in refused.values():
            raise error
        by_owner: dict[str, list[tuple[Any, Any]]] = {}
        for event in accepted:
            if event["event_type"] == "content_upload":
                raise InvalidEventError("event_type", "contents are taken in by put_content")
            by_owner.setdefault(event["user_id"], []).append(("event", event))
        return dict(self._append(owner, records, now) for owner, records in by_owner.items())

    def feed(self, user_id: str, limit: int, now: float, context: RequestContext = NO_CONTEXT) -> ServedFeed:
        """Rank a slate for a person, and record it before it is returned."""
        request = FeedRequest(user_id=user_id, limit=limit, context=context)
        ranking = self.request(request, now)
        slate = self._pipeline.rank(ranking)
        self._pipeline.observe(ranking, slate)
        self._num_requests += 1
        request_id = f"in-process-{self._num_requests}"
        version = self.replica.version
        assert version is not None
        if slate.scored is None:
            return ServedFeed(request_id, [], str(version), slate)
        impression = Impression(
            request_id=request_id,
            user_id=user_id,
            timestamp=now,
            model=version,
            arm="production",
            context=context,
            contents=slate.scored.contents,
            propensities=slate.propensities,
            scores=slate.scored.scores.astype(np.float32),
            sources=slate.sources,
            features=slate.scored.features,
        )
        self._append(user_id, [("impression", impression.to_wire())], now)
        served = self._served.get(user_id, _NOTHING_SERVED)
        self._served[user_id] = np.concatenate([served, slate.scored.contents.content_keys])
        return ServedFeed(request_id, slate.scored.contents.content_ids, str(version), slate)

    def request(self, request: FeedRequest, now: float) -> RankingRequest:
        """Return a request with the person hydrated, as the pipeline gets it."""
        stored = StoredUser(
            state=self._served_states.get(request.user_id, (None, None))[0],
            profile=None,
            served=self._served.get(request.user_id, _NOTHING_SERVED),
            rows={self.replica.row_group: self.user_rows(key_of(request.user_id))},
        )
        return self._hydrator.hydrate(request, stored, now, self._generator)

    def advance(self, now: float) -> int:
        """Join, learn and sync all there is; return how many examples were learned."""
        for message in self.streams.join():
            self.learner.add(message)
        learned = self.learner.learn(in_time_order=False)
        self._sync(now)
        return sum(len(batch) for batch, _ in learned)

    def user_rows(self, user_key: int) -> Mapping[str, FloatArray]:
        """Return a person's own embedding rows by slot; the store holds them elsewhere."""
        return self._user_rows.get(user_key, {})

    def replay(self, windows: Iterable[ReplayWindow]) -> ReplayReport:
        """Learn a log in the order of its time, every row predicted before it is learned.

        Nothing is served in between; what was learned is served afterwards.
        """
        measurement = ReplayMeasurement()
        num_rows, last_time = 0, 0.0
        for window in windows:
            for partition, message in window.messages:
                self.streams.append(partition, message, window.last_time)
            for example in self.streams.join():
                self.learner.add(example)
            for batch, result in self.learner.learn(in_time_order=True):
                measurement.learned(batch, result)
            num_rows, last_time = num_rows + window.num_rows, window.last_time
        report = measurement.report(num_rows)
        self._sync(last_time)
        return report

    def _append(self, owner_id: str, records: list[tuple[Any, Any]], now: float) -> tuple[int, int]:
        partition = partition_of(owner_id, self.streams.num_partitions)
        return partition, self.streams.append(partition, FeedMessage(records), now)

    def _sync(self, now: float) -> None:
        contents, self._new_contents = self._new_contents, []
        refit = self._refit_seconds is None or now >= self._next_refit
        if refit and self._refit_seconds is not None:
            self._next_refit = now + self._refit_seconds
        if refit and self._batch:
            self._served_states = dict(self.streams.states)
        delta, user_rows = self.learner.changes(
            contents, created_at=now, with_weights=refit, with_counters=refit or not self._batch
        )
        self.replica.apply_whole(delta)
        for slot, rows in user_rows.items():
            self._keep_user_rows(slot, rows)

    def _keep_user_rows(self, slot: str, rows: Rows) -> None:
        for key, values in zip(rows.ids.tolist(), rows.values, strict=True):
            self._user_rows.setdefault(key, {})[slot] = values
