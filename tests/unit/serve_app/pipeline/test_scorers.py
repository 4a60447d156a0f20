"""How heads become one score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from messages.examples import HEAD_INDEX, HEADS
from messages.updates import DECAYED_COUNTERS
from serve_app.pipeline.candidate import Candidates, Proposal, ScoredCandidates
from serve_app.pipeline.feature_hydrator import FeatureHydrator
from serve_app.pipeline.model_scorer import ModelScorer
from serve_app.pipeline.trend_boost_scorer import TrendBoostScorer, TrendBoostSettings
from serve_app.pipeline.weighted_sum_scorer import WeightedSumScorer, WeightedSumSettings
from tests.fakes import KnownModel, content, counted, delta, ranking_request, replica_of


def hydrated(replica, model: KnownModel) -> ScoredCandidates:
    contents = replica.state.contents
    rows = np.flatnonzero(contents.live)
    candidates = Candidates.of([Proposal.of(rows)], contents.content_keys, contents.creator_keys)
    return FeatureHydrator(replica, model).hydrate(ranking_request(replica), candidates)


def with_heads(scored: ScoredCandidates, rows: list[dict[str, float]]) -> ScoredCandidates:
    probabilities = np.zeros((len(rows), len(HEADS)), dtype=np.float32)
    for row, heads in enumerate(rows):
        for head, value in heads.items():
            probabilities[row, HEAD_INDEX[head]] = value
    return replace(scored, probabilities=probabilities)


def test_the_model_scorer_sets_every_head() -> None:
    replica = replica_of([content("a"), content("b")])
    model = KnownModel({"a": 0.9})

    scored = ModelScorer(model).score(ranking_request(replica), hydrated(replica, model))

    assert scored.probabilities[:, 0].tolist() == pytest.approx([0.9, 0.5])


def test_a_score_is_the_weighted_sum_of_the_heads() -> None:
    replica = replica_of([content("a"), content("b")])
    scored = with_heads(hydrated(replica, KnownModel()), [{"like": 0.5, "negative": 0.1}, {"share": 0.25}])
    scorer = WeightedSumScorer(WeightedSumSettings(head_weights={"like": 2, "share": 4, "negative": -10}))

    assert scorer.score(ranking_request(replica), scored).scores.tolist() == pytest.approx(
        [0.0, 1.0], abs=1e-6
    )


def test_a_head_without_an_answer_leaves_no_score_unless_it_counts_nothing() -> None:
    replica = replica_of([content("a"), content("b")])
    scored = with_heads(hydrated(replica, KnownModel()), [{"like": np.nan}, {"share": np.nan}])
    scorer = WeightedSumScorer(WeightedSumSettings(head_weights={"like": 2, "share": 0}))

    scores = scorer.score(ranking_request(replica), scored).scores

    assert np.isnan(scores).tolist() == [True, False]


def test_a_weight_for_an_unknown_signal_is_an_error_that_names_it() -> None:
    with pytest.raises(ValidationError, match="dislike: there is no such signal"):
        WeightedSumSettings(head_weights={"dislike": -1})


def test_a_rising_content_is_boosted_and_a_steady_or_barely_seen_one_is_not() -> None:
    replica = replica_of([content("rising"), content("steady"), content("barely"), content("bad")])
    counters = counted({"rising": 2_000.0, "steady": 1.0, "barely": 1.0, "bad": 2_000.0})
    engaged = DECAYED_COUNTERS.index("engaged")
    counters.decayed[1, :, engaged] = [100.0, 2_400.0]  # the same rate over an hour and over a day
    replica.apply_whole(delta(2, previous=1, counters=counters))
    scored = replace(hydrated(replica, KnownModel()), scores=np.array([1.0, 1.0, 1.0, -1.0]))

    boosted = TrendBoostScorer(TrendBoostSettings(beta=0.5)).score(ranking_request(replica), scored)

    assert boosted.scores[0] == pytest.approx(1.5, abs=0.02)
    assert boosted.scores[1] == pytest.approx(1.0)
    assert boosted.scores[2] < 1.03
    assert boosted.scores[3] == -1.0
