"""Requests that every stage must stand: a catalogue, people of all kinds, and what is proposed to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from learners.user_state import UserState
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates, Proposal, ScoredCandidates
from serve_app.pipeline.default_pipeline import PipelineSettings, build_scorers, build_sources
from serve_app.pipeline.feature_hydrator import FeatureHydrator
from serve_app.pipeline.hybrid_source import HybridSettings
from serve_app.pipeline.neighbour_table import NeighbourSettings, NeighbourTable
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.stages import Source
from tests.fakes import NOW, KnownModel, content, counted, delta, empty_replica, ranking_request, replica_of

NUM_CONTENTS = 300
NAMES = [f"c{index}" for index in range(NUM_CONTENTS)]
REMOVED = NAMES[:20]
SEEN = NAMES[20:60]


@cache
def catalogue() -> ModelReplica:
    """300 contents of 30 creators in 7 categories, some removed again, some watched, one of unknown
    creator. Made once: nothing here changes it."""
    draws = np.random.default_rng(1)
    replica = replica_of(
        [
            content(
                name,
                f"u{index % 30}" if index else "",
                f"k{index % 7}",
                uploaded=NOW - 10 * index,
                language="fr" if index % 11 == 0 else "",
                moderation="pending" if index % 13 == 0 else "approved",
                min_age=18 if index % 17 == 0 else 0,
            )
            for index, name in enumerate(NAMES)
        ],
        vectors={name: draws.normal(size=3) for name in NAMES},
        counters=counted({name: float(index % 50) for index, name in enumerate(NAMES)}, {NAMES[100]: 1_000}),
    )
    replica.apply_whole(delta(2, previous=1, removed_contents=REMOVED))
    return replica


def experienced() -> UserState:
    state = UserState.empty("ada")
    for index, name in enumerate(SEEN):
        event = {"user_id": "ada", "content_id": name, "timestamp": NOW - 100 + index}
        state.apply({**event, "event_type": "view", "watch_duration": 9.0}, NOW - 100 + index, None)
        if index % 3 == 0:
            state.apply({**event, "event_type": "like"}, NOW - 100 + index, None)
    state.apply({"event_type": "hide", "content_id": NAMES[70]}, NOW - 20, None)
    state.apply({"event_type": "report", "content_id": NAMES[71], "creator_id": "u11"}, NOW - 20, None)
    state.apply({"event_type": "follow", "creator_id": "u5"}, NOW - 20, None)
    return state


PROFILE = {
    "demographics": {"language": "de-CH"},
    "preferences": {"categories": ["k1", "k2", "none such"], "creators_followed": ["u6", "u5"]},
}
REQUESTS: dict[str, Callable[[], tuple[ModelReplica, RankingRequest]]] = {
    "somebody new": lambda: _case(catalogue()),
    "somebody known": lambda: _case(
        catalogue(), experienced(), profile=PROFILE, served=NAMES[80:120], excluded=[*SEEN, *NAMES[80:120]]
    ),
    "everything seen": lambda: _case(catalogue(), served=NAMES, excluded=NAMES),
    "no contents": lambda: _case(empty_replica(), experienced(), profile=PROFILE),
    "one content": lambda: _case(replica_of([content("only", "u1", "k1")]), profile=PROFILE),
}
SETTINGS = PipelineSettings()
MODEL = KnownModel({name: index / NUM_CONTENTS for index, name in enumerate(NAMES)})
BY_TASTE = [
    SETTINGS,
    *(SETTINGS.model_copy(update={"hybrid": HybridSettings(alpha=side)}) for side in (0, 1)),
]


@cache
def neighbours() -> NeighbourTable:
    """People who share some of what the known person likes, and like more."""
    table = NeighbourTable(NeighbourSettings())
    for person in range(12):
        state = UserState.empty(f"u{person}")
        for name in (*SEEN[person::4], *NAMES[100 + person : 180 : 7]):
            state.apply({"event_type": "like", "content_id": name}, NOW - 50, None)
            state.apply({"event_type": "skip", "content_id": NAMES[200 + person]}, NOW - 40, None)
        table.observe(state)
    return table


def all_sources(replica: ModelReplica) -> dict[str, Source]:
    """The sources of every choice of alpha, by name."""
    choices = [
        source for settings in BY_TASTE for source in build_sources(settings, replica, MODEL, neighbours())
    ]
    return {source.name: source for source in choices}


def _case(replica: ModelReplica, *arguments, **words) -> tuple[ModelReplica, RankingRequest]:
    return replica, ranking_request(replica, *arguments, **words)


def propose_all(replica: ModelReplica, request: RankingRequest) -> Candidates:
    """Everything in the catalogue, by two sources: so there is something to filter, duplicates included."""
    rows = np.flatnonzero(replica.state.contents.live)
    contents = replica.state.contents
    return Candidates.of(
        [Proposal.of(rows[::-1]), Proposal.of(rows[::2])], contents.content_keys, contents.creator_keys
    )


def score_all(replica: ModelReplica, request: RankingRequest, *, with_nan: bool = False) -> ScoredCandidates:
    candidates = propose_all(replica, request)
    candidates = candidates.take(np.unique(candidates.rows, return_index=True)[1])
    scored = FeatureHydrator(replica, MODEL).hydrate(request, candidates)
    for stage in build_scorers(SETTINGS, replica, MODEL):
        scored = stage.score(request, scored)
    if with_nan:
        scored.scores[::7] = np.nan
    return scored
