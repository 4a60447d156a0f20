"""Small batches of examples, and embedding rows that are a function of their id."""

from __future__ import annotations

import dataclasses

import numpy as np

from learners.features.assembly import assemble
from learners.ranking_model import RankingModelSettings, initial_dense_weights, input_layout
from learners.step_result import StepResult
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from learners.user_state import UserState
from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns, ContentFacts
from messages.events import EVENT_TYPE_CODES, ContentMetadata
from messages.examples import HEADS, ExampleBatch, JoinedExamples, LabelKind
from messages.features import FeatureBatch
from messages.identifiers import MISSING_KEY, mix
from messages.impressions import RequestContext
from messages.updates import CounterRows

NOW = 1_650_000_000.0
MODEL = RankingModelSettings(hidden=(32, 16), retrieval_dimension=8, content_dimension=4)
SETTINGS = TrainingSettings(model=MODEL)
LAYOUT = input_layout(MODEL)
DENSE = initial_dense_weights(MODEL)


def rows_of(slot: str, ids: IdArray) -> FloatArray:
    columns = np.arange(1, LAYOUT.dimensions[slot] + 1, dtype=np.uint64)
    values = (mix(ids[:, None] + columns * np.uint64(7919)) >> np.uint64(40)).astype(np.float32)
    values = (values / np.float32(1 << 23) - 1) * np.float32(0.2)
    values[ids == MISSING_KEY] = 0
    return values


class Lookup:
    def rows(self, slot: str, ids: IdArray) -> FloatArray:
        return rows_of(slot, ids)


def content(number: int) -> ContentFacts:
    metadata = ContentMetadata(category=f"k{number % 3}", tags=(f"t{number % 5}",), duration=10.0)
    return ContentFacts(f"c{number}", f"a{number % 4}", NOW, metadata)


def features_of(user: int, number: int, counters: bool) -> FeatureBatch:
    state = UserState.empty(f"u{user}")
    for seen in range(user % 4):
        state.apply(
            {"event_type": "view", "content_id": f"c{seen + user}", "watch_duration": 3.0}, NOW - 9, None
        )
    contents = ContentColumns.of([content(number)])
    block = CounterRows.zeros(contents.content_keys) if counters else None
    return assemble(state, None, RequestContext(surface="home"), contents, NOW, block)


def batch_of(pairs: list[tuple[int, int]], engaged: list[bool], *, counters: bool = True) -> ExampleBatch:
    """One row per (user, content), a view where engaged, else a skip."""
    n = len(pairs)
    labels = np.full((n, len(HEADS)), LabelKind.PROVISIONAL_NEGATIVE, np.uint8)
    labels[:, :3] = np.where(engaged, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE)[:, None]
    names = [""] * n
    features = FeatureBatch.concatenate([features_of(user, number, counters) for user, number in pairs])
    joined = JoinedExamples(
        rows=np.arange(n), features=features, labels=labels, watch_seconds=np.zeros(n, np.float32),
        slate_positions=np.zeros(n, np.int64), propensities=np.ones(n, np.float32),
        served_scores=np.zeros(n, np.float32), request_keys=np.zeros(n, np.uint64),
        arms=names, model_ids=names, model_versions=names,
    )  # fmt: skip
    codes = [EVENT_TYPE_CODES["view" if yes else "skip"] for yes in engaged]
    return ExampleBatch(
        event_types=np.array(codes, np.uint8), times=np.full(n, NOW), user_keys=features.ids["user"],
        content_keys=features.ids["content"], creator_keys=features.ids["creator"],
        long_views=np.array(engaged), watch_seconds=np.zeros(n, np.float32), joined=joined, uploads=None,
    )  # fmt: skip


def mixed_batch(n: int = 24, *, counters: bool = True) -> ExampleBatch:
    return batch_of([(k % 7, k % 11) for k in range(n)], [k % 3 != 0 for k in range(n)], counters=counters)


def run(
    batch: ExampleBatch, settings: TrainingSettings = SETTINGS, dense: dict[str, FloatArray] = DENSE
) -> StepResult:
    step = TrainingStep(settings)
    request = step.pull_request(batch, "m")
    counters = None if request.counter_ids is None else CounterRows.zeros(request.counter_ids)
    return step.run(batch, {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}, dense, counters)


def with_labels(batch: ExampleBatch, labels: np.ndarray) -> ExampleBatch:
    assert batch.joined is not None
    return dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, labels=labels))


def examples_of(features: FeatureBatch) -> ExampleBatch:
    """Rows with these features and without labels: to score them, not to learn from them."""
    count = len(features)
    nothing = np.zeros(count, dtype=np.uint64)
    numbers = np.zeros(count, dtype=np.float32)
    joined = JoinedExamples(
        rows=np.arange(count),
        features=features,
        labels=np.zeros((count, len(HEADS)), dtype=np.uint8),
        watch_seconds=numbers,
        slate_positions=np.arange(count),
        propensities=numbers,
        served_scores=numbers,
        request_keys=nothing,
        arms=[""] * count,
        model_ids=[""] * count,
        model_versions=[""] * count,
    )
    return ExampleBatch(
        event_types=np.zeros(count, dtype=np.uint8),
        times=np.full(count, NOW),
        user_keys=nothing,
        content_keys=features.ids["content"],
        creator_keys=nothing,
        long_views=np.zeros(count, dtype=np.bool_),
        watch_seconds=numbers,
        joined=joined,
        uploads=None,
    )
