"""Stand-ins for the world outside, and small worlds to rank in: plain, deterministic, without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actors.weight_store import StoredWeights, WeightsConflictError
from learners.user_state import UserState
from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.examples import OUTPUTS
from messages.features import FeatureBatch
from messages.identifiers import key_of, keys_of, partition_of
from messages.impressions import Impression, ModelVersion, RequestContext
from messages.stored_user import StoredUser
from messages.updates import (
    COUNTER_TOTAL_INDEX,
    DECAYED_COUNTERS,
    CounterRows,
    ModelDelta,
    Position,
    Rows,
)
from parameter_server.settings import SlotSettings
from serve_app.index_rebuild import ContentIndexSettings
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.ranking_request import PersonRows, RankingRequest

NOW = 1_764_000_000.0
MODEL = "fake"
RETRIEVAL = "retrieval"
SLOTS = {RETRIEVAL: SlotSettings(dimension=3, initial_scale=0.0)}
"""Two columns of vector and one of bias; a content without a row lies at the origin."""


def content(
    content_id: str,
    creator: str = "",
    category: str = "",
    uploaded: float = NOW - 3_600,
    tags: Sequence[str] = (),
    **more: Any,
) -> ContentFacts:
    """more: of `ContentMetadata`."""
    metadata = ContentMetadata(category=category, tags=tuple(tags), **more)
    return ContentFacts(content_id, creator, uploaded, metadata)


def counted(engaged: Mapping[str, float], watched: Mapping[str, int] | None = None) -> CounterRows:
    """Return counters of contents: `engaged` as both decayed sums as of NOW, `watched` as total views."""
    ids = list(dict.fromkeys([*engaged, *(watched or {})]))
    rows = CounterRows.zeros(keys_of(ids))
    rows.decayed[:, :, DECAYED_COUNTERS.index("engaged")] = [[engaged.get(name, 0.0)] for name in ids]
    rows.totals[:, COUNTER_TOTAL_INDEX["views"]] = [(watched or {}).get(name, 0) for name in ids]
    rows.times[:] = NOW
    return rows


def delta(
    counter: int,
    *,
    previous: int = -1,
    contents: Sequence[ContentFacts] = (),
    vectors: Mapping[str, Sequence[float]] | None = None,
    counters: CounterRows | None = None,
    removed_contents: Sequence[str] = (),
    removed_rows: Sequence[str] = (),
    dense: Mapping[str, FloatArray] | None = None,
    positions: Mapping[int, Position] | None = None,
    lineage: str = "a",
    created_at: float = NOW,
) -> ModelDelta:
    """Return a delta; a full one where it builds on nothing. vectors: content id -> retrieval row [3]."""
    vectors = vectors or {}
    values = np.array(list(vectors.values()), dtype=np.float32).reshape(-1, 3)
    return ModelDelta(
        version=ModelVersion(MODEL, lineage, counter),
        previous=previous,
        full=previous == -1,
        rows={RETRIEVAL: Rows(keys_of(vectors), values)},
        removed={RETRIEVAL: keys_of(removed_rows)},
        dense=dense or {},
        counters=counters,
        contents=ContentColumns.of(contents) if contents else None,
        removed_contents=keys_of(removed_contents),
        positions=positions or {},
        created_at=created_at,
    )


def empty_replica(index_settings: ContentIndexSettings | None = None) -> ModelReplica:
    return ModelReplica(MODEL, SLOTS, RETRIEVAL, lambda rows: rows, index_settings)


def replica_of(contents: Sequence[ContentFacts], **parts: Any) -> ModelReplica:
    """Return a replica at version 1 of these contents; parts: as `delta` takes them."""
    replica = empty_replica()
    replica.apply_whole(delta(1, contents=contents, **parts))
    return replica


def ranking_request(
    replica: ModelReplica,
    state: UserState | None = None,
    *,
    limit: int = 5,
    profile: dict[str, Any] | None = None,
    served: Sequence[str] = (),
    excluded: Sequence[str] = (),
    seed: int = 0,
) -> RankingRequest:
    """Return a request with what is asked for; `excluded` row numbers must be said, as ids."""
    rows = replica.state.contents.find(keys_of(excluded))
    return RankingRequest(
        user_id="ada",
        limit=limit,
        context=RequestContext(),
        now=NOW,
        state=state or UserState.empty("ada"),
        profile=profile,
        served=keys_of(served),
        excluded=rows[rows >= 0],
        rows=PersonRows(replica, key_of("ada"), {}),
        generator=np.random.default_rng(seed),
    )


class KnownModel:
    """A model whose every answer is given beforehand.

    chances: content id -> probability of `engage`, 0.5 for others; the other heads are 0. taste: the query.
    """

    def __init__(
        self, chances: Mapping[str, float] | None = None, taste: Sequence[float] = (1.0, 0.0, 1.0)
    ) -> None:
        self._chances = {key_of(name): chance for name, chance in (chances or {}).items()}
        self._taste = np.array(taste, dtype=np.float32)

    def features(
        self, request: RankingRequest, contents: ContentColumns, counters: CounterRows
    ) -> FeatureBatch:
        dense = np.zeros((len(contents), 1), dtype=np.float32)
        return FeatureBatch({"content": contents.content_keys}, {}, dense, counters=dense)

    def query(self, request: RankingRequest) -> FloatArray:
        return self._taste

    def probabilities(self, request: RankingRequest, features: FeatureBatch) -> FloatArray:
        probabilities = np.zeros((len(features), len(OUTPUTS)), dtype=np.float32)
        probabilities[:, 0] = [self._chances.get(int(key), 0.5) for key in features.ids["content"]]
        return probabilities


class FakeNotice:
    """The number in the store that rises when an operator changes something."""

    def __init__(self) -> None:
        self.number = 0


class FakeUserStore:
    """People in a dict. `log` names the calls in order, for tests of what happens before what."""

    def __init__(self, log: list[str] | None = None, notice: FakeNotice | None = None) -> None:
        self._notice = notice or FakeNotice()
        self.shown: dict[str, dict[str, int]] = {}
        self.states: dict[str, bytes] = {}
        self.profiles: dict[str, dict[str, Any]] = {}
        self.served: dict[str, list[IdArray]] = {}
        self.groups_asked: list[list[str]] = []
        self.failure: Exception | None = None
        self.log = [] if log is None else log

    async def load(self, user_id: str, groups: Sequence[str]) -> StoredUser:
        self._fail()
        self.groups_asked.append(list(groups))
        served = self.served.get(user_id, [])
        return StoredUser(
            state=self.states.get(user_id),
            profile=self.profiles.get(user_id),
            served=np.concatenate(served) if served else np.empty(0, dtype=np.uint64),
            rows={group: {} for group in groups},
            shown=dict(self.shown.get(user_id, {})),
            notice=self._notice.number,
        )

    async def add_served(self, user_id: str, keys: IdArray, group: str, counter: int) -> None:
        self._fail()
        shown = self.shown.setdefault(user_id, {})
        shown[group] = max(counter, shown.get(group, counter))
        if len(keys):
            self.served.setdefault(user_id, []).append(keys)
            self.log.append("served")

    async def put_profile(self, user_id: str, profile: dict[str, Any]) -> None:
        self._fail()
        self.profiles[user_id] = profile

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class FakeCatalogue:
    """Contents in a dict."""

    def __init__(self, log: list[str] | None = None, notice: FakeNotice | None = None) -> None:
        self.contents: dict[str, ContentFacts] = {}
        self._removed: dict[str, None] = {}
        self._notice = notice or FakeNotice()
        self.log = [] if log is None else log

    async def put(self, facts: ContentFacts) -> None:
        await self.put_many([facts])

    async def put_many(self, contents: list[ContentFacts]) -> None:
        self.contents |= {facts.content_id: facts for facts in contents}
        if self._removed.keys() & {facts.content_id for facts in contents}:
            self._removed = {name: None for name in self._removed if name not in self.contents}
            self._notice.number += 1
        self.log.append("catalogue")

    async def get(self, content_id: str) -> ContentFacts | None:
        return self.contents.get(content_id)

    async def remove(self, content_id: str) -> bool:
        self._removed[content_id] = None
        self._notice.number += 1
        return self.contents.pop(content_id, None) is not None

    async def removed(self) -> list[str]:
        return list(self._removed)


class FakeWeightStore:
    """The table of weights in an attribute."""

    def __init__(self, notice: FakeNotice) -> None:
        self.stored: StoredWeights | None = None
        self._notice = notice

    async def read(self) -> StoredWeights | None:
        return self.stored

    async def write(self, table: Mapping[str, float], expected_revision: int | None) -> StoredWeights:
        revision = 0 if self.stored is None else self.stored.revision
        if expected_revision not in (None, revision):
            raise WeightsConflictError(f"the table has revision {revision}, not {expected_revision}")
        self.stored = StoredWeights(dict(table), revision + 1, NOW)
        self._notice.number += 1
        return self.stored


class FakeFeedPublisher:
    """Counts a sequence up for each partition, as FEED does; with `failure` set it is away."""

    def __init__(self, num_partitions: int, log: list[str] | None = None) -> None:
        self._num_partitions = num_partitions
        self._sequence = 0
        self.events: list[dict[str, Any]] = []
        self.impressions: list[Impression] = []
        self.failure: Exception | None = None
        self.log = [] if log is None else log

    async def publish_events(self, events: list[dict[str, Any]]) -> dict[int, int]:
        positions: dict[int, int] = {}
        for event in events:
            owner = event["creator_id"] if event["event_type"] == "content_upload" else event["user_id"]
            positions[partition_of(owner, self._num_partitions)] = self._next()
        self.events += events
        self.log.append("events")
        return positions

    async def publish_impression(self, impression: Impression) -> int:
        sequence = self._next()
        self.impressions.append(impression)
        self.log.append("impression")
        return sequence

    def _next(self) -> int:
        if self.failure is not None:
            raise self.failure
        self._sequence += 1
        return self._sequence


class FakeModelChanges:
    """Answers each poll with the next of its script, raising what is an error, then with nothing."""

    def __init__(self, script: Sequence[list[ModelDelta] | Exception]) -> None:
        self._script = list(script)
        self.counters_asked: list[int] = []

    async def changes_after(self, counter: int, timeout_s: float) -> list[ModelDelta]:
        self.counters_asked.append(counter)
        answer = self._script.pop(0) if self._script else []
        if isinstance(answer, Exception):
            raise answer
        return answer
