"""Requests that go through the stages side by side get what each of them would get alone."""

from __future__ import annotations

import asyncio

import numpy as np

from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.epsilon_greedy_exploration import ExplorationSettings
from serve_app.pipeline.person_hydrator import PersonHydrator
from serve_app.pipeline.ranking_pipeline import RankedSlate
from serve_app.pipeline.ranking_request import FeedRequest, RankingRequest
from serve_app.pipeline.served_model import LearnedModel
from simulations.benchmarks.request_world import MemoryUserStore, make_people, make_replica

NOW = 1_764_000_000.0
NUM_PEOPLE = 12


def test_requests_that_are_ranked_together_get_what_each_gets_alone() -> None:
    replica = make_replica(2_000, now=NOW)
    store = MemoryUserStore(
        make_people(replica, num_users=NUM_PEOPLE, num_contents=2_000, history=50, served=200, now=NOW)
    )
    settings = PipelineSettings(exploration=ExplorationSettings(epsilon=0.5))
    hydrator = PersonHydrator(replica)

    def request(number: int) -> RankingRequest:
        user_id = f"bench-user-{number}"
        stored = asyncio.run(store.load(user_id, [replica.row_group]))
        return hydrator.hydrate(FeedRequest(user_id, 20), stored, NOW, np.random.default_rng(number))

    def told(slate: RankedSlate | Exception) -> tuple[object, ...]:
        assert isinstance(slate, RankedSlate)
        assert slate.scored is not None
        numbers = (slate.scored.scores, slate.propensities, slate.scored.probabilities)
        return slate.scored.contents.content_ids, slate.sources, [values.tolist() for values in numbers]

    alone = build_pipeline(settings, replica, LearnedModel(replica))
    together = build_pipeline(settings, replica, LearnedModel(replica))

    slates = together.rank_together([request(number) for number in range(NUM_PEOPLE)])

    assert [told(slate) for slate in slates] == [
        told(alone.rank(request(number))) for number in range(NUM_PEOPLE)
    ]
