"""A stage on which the joiner's tests play: people, slates and events as short sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from learners.feature_shape import FeatureShape
from learners.joiner import DeadLetter, JoinerSettings, PartitionJoiner, Release
from learners.user_state import UserState
from messages.content import ContentColumns, ContentFacts
from messages.events import EVENT_TYPES, ContentMetadata
from messages.examples import HEADS, ExampleBatch, LabelKind
from messages.features import FeatureBatch, IdBags
from messages.feed import FeedMessage
from messages.impressions import Impression, ModelVersion, RequestContext

START = 1_700_000_000.0
CREATORS = {"cat": "ann", "dog": "ann", "sea": "bob", "sky": "bob", "jam": "cyd"}
DURATIONS = {"cat": 10.0, "dog": 100.0, "sea": 30.0, "sky": 0.0, "jam": None}


PLAIN_SHAPE = FeatureShape(frozenset({"content", "creator"}), frozenset({"history", "tags"}), 4, 2)


def facts(content_id: str) -> ContentFacts:
    return ContentFacts(
        content_id,
        CREATORS[content_id],
        START - 1_000,
        ContentMetadata(
            category=f"about {content_id[0]}", tags=(content_id,), duration=DURATIONS[content_id]
        ),
    )


def assemble_plainly(
    state: UserState,
    profile: Mapping[str, Any] | None,
    context: RequestContext,
    contents: ContentColumns,
    now: float,
    counters: object,
) -> FeatureBatch:
    """Stand in for the real features: enough of the state to see which state it was."""
    person = [state.num_contents, state.overall.preference, state.recent.engaged, now % 1_000]
    return FeatureBatch(
        ids={"content": contents.content_keys, "creator": contents.creator_keys},
        bags={"history": IdBags.repeated(state.history, len(contents)), "tags": contents.tags},
        dense=np.tile(np.array(person, dtype=np.float32), (len(contents), 1)),
        counters=None,
    )


def impression_of(
    request_id: str, user_id: str, content_ids: Sequence[str], time: float, *, served: bool = True
) -> dict[str, Any]:
    """Return the wire map of an impression; `served` ones bring their features, replayed ones do not."""
    contents = ContentColumns.of([facts(content_id) for content_id in content_ids])
    count = len(contents)
    features = None
    if served:
        bare = assemble_plainly(UserState.empty(user_id), None, RequestContext(), contents, time, None)
        features = bare.with_counters(np.full((count, 2), time % 100, dtype=np.float32))
    return Impression(
        request_id=request_id,
        user_id=user_id,
        timestamp=time,
        model=ModelVersion("two-tower", "born", 7),
        arm="treatment",
        context=RequestContext(device="phone"),
        contents=contents,
        propensities=np.linspace(0.1, 0.9, count, dtype=np.float32),
        scores=np.linspace(1, 2, count, dtype=np.float32),
        sources=["ann"] * count,
        features=features,
        engage_chances=np.linspace(0.2, 0.4, count, dtype=np.float32) if served else None,
    ).to_wire()


class Stage:
    """A joiner fed record by record, its clock moved by hand; states are kept as a store would."""

    def __init__(self, **settings: Any) -> None:
        self.settings = JoinerSettings(**{"num_partitions": 1, **settings})
        self.joiner = PartitionJoiner(
            0, self.settings, "writer", assemble=assemble_plainly, shape=PLAIN_SHAPE
        )
        self.now = START
        self.position = 0
        self.num_events = 0
        self.letters: list[DeadLetter] = []

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def send(self, *records: tuple[str, Any]) -> None:
        message = FeedMessage.decode(FeedMessage(list(records)).encode())  # type: ignore[arg-type]
        self.position += 1
        self.joiner.load_users(dict.fromkeys(self.joiner.missing_users(message), (None, None)))
        self.letters += self.joiner.accept(message, position=self.position, append_time=self.now)

    def show(self, request_id: str, user_id: str, *content_ids: str, served: bool = True) -> None:
        self.send(("impression", impression_of(request_id, user_id, content_ids, self.now, served=served)))

    def event(self, event_type: str, user_id: str, content_id: str | None = None, **fields: Any) -> None:
        self.num_events += 1
        event = {
            "event_type": event_type,
            "event_id": f"e{self.num_events}",
            "timestamp": self.now,
            "user_id": user_id,
        }
        if content_id is not None:
            event["content_id"] = content_id
        if event_type == "view":
            event["watch_duration"] = 5.0
        self.send(("event", event | fields))

    def release(self) -> Release:
        release = self.joiner.release()
        assert release is not None
        return release

    def lessons(self) -> list[dict[str, str] | None]:
        """Release, and say for every row which heads it trains and how; None for an orphan."""
        return lessons_of(self.release().batch)


def lessons_of(batch: ExampleBatch) -> list[dict[str, str] | None]:
    lessons: list[dict[str, str] | None] = [None] * len(batch)
    if batch.joined is not None:
        for row, labels in zip(batch.joined.rows, batch.joined.labels, strict=True):
            lessons[row] = {
                head: LabelKind(label).name
                for head, label in zip(HEADS, labels.tolist(), strict=True)
                if label != LabelKind.UNTRAINED
            }
    return lessons


def types_of(batch: ExampleBatch) -> list[str]:
    return [EVENT_TYPES[code] for code in batch.event_types]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session")
def new_stage() -> type[Stage]:
    return Stage


@pytest.fixture(scope="session")
def make_impression() -> Any:
    return impression_of


@pytest.fixture(scope="session")
def event_types() -> Any:
    return types_of


@pytest.fixture(scope="session")
def new_joiner() -> Any:
    def create(settings: JoinerSettings) -> PartitionJoiner:
        return PartitionJoiner(0, settings, "writer", assemble=assemble_plainly, shape=PLAIN_SHAPE)

    return create
