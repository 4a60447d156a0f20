"""Ranks once, so that no first request waits for kernels: at install that compiles them into numba's cache,
in a replica that begins it loads them from there, and compiles what an installation left out."""

from __future__ import annotations

import numpy as np

from actors.model_groups import model_plan
from learners.features.assembly import assemble
from learners.features.content_ids import content_language_keys
from learners.features.schema import RETRIEVAL_SLOT
from learners.ranking_model import initial_dense_weights
from learners.retrieval_model import content_vectors
from learners.training_settings import TrainingSettings
from learners.user_state import UserState
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.impressions import ModelVersion, RequestContext
from messages.updates import CounterRows, ModelDelta
from serve_app.inverted_index import InvertedIndex
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate_limit_filter import CandidateLimitSettings
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.epsilon_greedy_exploration import ExplorationSettings
from serve_app.pipeline.person_hydrator import PersonHydrator
from serve_app.pipeline.ranking_request import FeedRequest
from serve_app.pipeline.served_model import LearnedModel

_NOW = 1.0e9


def _state() -> bytes:
    state = UserState.empty("warm-up")
    for number in range(3):
        state.apply({"event_type": "view", "content_id": f"c{number}", "watch_duration": 9.0}, _NOW, None)
        state.apply({"event_type": "like", "content_id": f"c{number}"}, _NOW, None)
    state.apply({"event_type": "follow", "creator_id": "u"}, _NOW, None)
    return state.to_bytes()


class _Stored:
    """Somebody who likes contents, follows their creator and was shown another one."""

    state = _state()
    profile = None
    served = np.ones(1, dtype=np.uint64)
    rows: dict[str, dict[str, np.ndarray]] = {}  # noqa: RUF012 (nobody changes it)
    shown: dict[str, int] = {}  # noqa: RUF012
    notice = 0


def warm_up_ranking() -> None:
    """Rank a few contents once, and let the observers see it; and search as among many."""
    _warm_up_lists()
    training = TrainingSettings()
    replica = ModelReplica("warm-up", model_plan(training, 1).settings.slots, RETRIEVAL_SLOT, content_vectors)
    contents = [
        ContentFacts(f"c{number}", "u", _NOW, ContentMetadata(category="k", tags=("t",)))
        for number in range(12)
    ]
    columns = ContentColumns.of(contents)
    replica.apply_whole(
        ModelDelta(
            version=ModelVersion("warm-up", "a", 1),
            previous=-1,
            full=True,
            rows={},
            removed={},
            dense=initial_dense_weights(training.model),
            counters=CounterRows.zeros(columns.content_keys),
            contents=columns,
            removed_contents=columns.content_keys[:0],
            positions={},
            created_at=_NOW,
        )
    )
    content_language_keys(columns.language_keys)  # so, and by the next line, joiners make rows
    assemble(UserState.empty("warm-up"), None, RequestContext(), columns, _NOW, None)
    request = PersonHydrator(replica).hydrate(
        FeedRequest("warm-up", 2), _Stored(), _NOW, np.random.default_rng(0)
    )
    few = CandidateLimitSettings(max_candidates=4)
    for exploration in (ExplorationSettings(), ExplorationSettings(epsilon=1.0)):  # a draw is rare
        settings = PipelineSettings(exploration=exploration, candidate_limit=few)
        pipeline = build_pipeline(settings, replica, LearnedModel(replica))
        pipeline.observe(request, pipeline.rank(request))


def _warm_up_lists() -> None:
    index = InvertedIndex(np.eye(2, dtype=np.float32), num_probes=1)
    rows = np.arange(3)
    index.put(rows, np.eye(3, 2, dtype=np.float32))
    index.tidy()
    index.search(np.ones(2, dtype=np.float32), 1)
    index.search_best_first(np.ones((1, 2), dtype=np.float32), 1, rows[:0], 1, np.eye(3, 2, dtype=np.float32))
    index.remove(rows)
