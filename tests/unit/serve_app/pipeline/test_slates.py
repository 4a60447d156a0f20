"""Order, variety and chance: how a slate is put together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.identifiers import keys_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates, Proposal, ScoredCandidates
from serve_app.pipeline.candidate_limit_filter import CandidateLimitFilter, CandidateLimitSettings
from serve_app.pipeline.diverse_slate_selector import DiverseSlateSelector, DiverseSlateSettings
from serve_app.pipeline.epsilon_greedy_exploration import EpsilonGreedyExploration, ExplorationSettings
from serve_app.pipeline.feature_hydrator import FeatureHydrator
from serve_app.pipeline.top_score_selector import SlateSettings, TopScoreSelector
from serve_app.pipeline.ucb_exploration import UcbExploration, UcbSettings
from tests.fakes import KnownModel, content, counted, ranking_request, replica_of


def scored_of(contents, scores: list[float], vectors=None) -> tuple:
    replica = replica_of(contents, vectors=vectors or {})
    return replica, scored_in(replica, contents, scores)


def scored_in(replica: ModelReplica, contents, scores: list[float]) -> ScoredCandidates:
    table = replica.state.contents
    rows = table.find(keys_of(c.content_id for c in contents))
    candidates = Candidates.of([Proposal.of(rows)], table.content_keys, table.creator_keys)
    scored = FeatureHydrator(replica, KnownModel()).hydrate(ranking_request(replica), candidates)
    return replace(scored, scores=np.array(scores, dtype=np.float64), contents=replica.contents(rows))


def chosen(scored: ScoredCandidates, order: np.ndarray) -> list[str]:
    return [scored.contents.content_ids[position] for position in order]


def test_the_highest_score_comes_first_and_nan_last() -> None:
    _, scored = scored_of([content(name) for name in "abc"], [np.nan, 1.0, 2.0])

    assert chosen(scored, TopScoreSelector(SlateSettings()).select(scored, 3)) == ["c", "b", "a"]


def test_a_creator_over_the_cap_waits_behind_everybody_else() -> None:
    contents = [content("a1", "ann"), content("a2", "ann"), content("a3", "ann"), content("b", "bob")]
    _, scored = scored_of(contents, [9.0, 8.0, 7.0, 1.0])

    order = TopScoreSelector(SlateSettings(max_per_creator=2)).select(scored, 4)

    assert chosen(scored, order) == ["a1", "a2", "b", "a3"]


def test_contents_of_unknown_creators_are_not_taken_for_one_creator() -> None:
    _, scored = scored_of([content(name) for name in "abc"], [3.0, 2.0, 1.0])

    assert chosen(scored, TopScoreSelector(SlateSettings(max_per_creator=1)).select(scored, 3)) == list("abc")


TWINS = [content("cat", category="c"), content("same cat", category="c"), content("dog", category="d")]
TWIN_VECTORS = {"cat": [1, 0, 0], "same cat": [1, 0.01, 0], "dog": [0, 1, 0]}


@pytest.mark.parametrize(("quality", "expected"), [(0.3, ["cat", "dog"]), (0.999, ["cat", "same cat"])])
def test_the_quality_knob_weighs_scores_against_likeness(quality: float, expected: list[str]) -> None:
    replica, scored = scored_of(TWINS, [1.0, 0.95, 0.5], TWIN_VECTORS)
    selector = DiverseSlateSelector(DiverseSlateSettings(quality=quality), SlateSettings(), replica)

    assert chosen(scored, selector.select(scored, 2)) == expected


@pytest.mark.parametrize(("repeat_cost", "of_first"), [(0.0, 6), (0.7, 4)])
def test_a_category_gives_way_the_sooner_the_more_of_it_is_placed(repeat_cost: float, of_first: int) -> None:
    draws = np.random.default_rng(4)
    contents = [content(f"c{index}", category="liked" if index < 8 else "other") for index in range(16)]
    vectors = {c.content_id: draws.normal(size=3) for c in contents}
    replica, scored = scored_of(contents, [1.0] * 8 + [0.0] * 8, vectors)
    settings = DiverseSlateSettings(quality=0.99, same_category=0.0, repeat_cost=repeat_cost)
    selector = DiverseSlateSelector(settings, SlateSettings(), replica)

    names = chosen(scored, selector.select(scored, 6))

    assert sum(int(name[1:]) < 8 for name in names) == of_first


def test_contents_of_no_known_category_are_not_taken_for_one_kind() -> None:
    contents = [content("a"), content("b"), content("c", category="k")]
    replica, scored = scored_of(contents, [1.0, 0.9, 0.0], {"a": [1, 0, 0], "b": [0, 1, 0], "c": [0, 1, 1]})
    settings = DiverseSlateSettings(quality=0.99, repeat_cost=50.0)

    order = DiverseSlateSelector(settings, SlateSettings(), replica).select(scored, 2)

    assert chosen(scored, order) == ["a", "b"]


def test_with_equal_scores_unlikeness_decides() -> None:
    replica, scored = scored_of(TWINS, [0.7, 0.7, 0.7], TWIN_VECTORS)
    selector = DiverseSlateSelector(DiverseSlateSettings(quality=0.9), SlateSettings(), replica)

    assert "dog" in chosen(scored, selector.select(scored, 2))


def test_the_greedy_slate_has_the_largest_determinant_step_by_step() -> None:
    """Against the definition: at each place the content with the best objective, computed from scratch."""
    draws = np.random.default_rng(3)
    contents = [content(f"c{index}", category=f"k{index % 3}") for index in range(12)]
    vectors = {c.content_id: draws.normal(size=3) for c in contents}
    replica, scored = scored_of(contents, draws.normal(size=12).tolist(), vectors)
    settings = DiverseSlateSettings(quality=0.5, same_category=0.4, repeat_cost=0.2)
    selector = DiverseSlateSelector(settings, SlateSettings(max_per_creator=0), replica)

    units = np.array([vectors[c.content_id][:2] for c in contents], dtype=np.float32).astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    categories = np.array([c.metadata.category for c in contents])
    kernel = 0.6 * units @ units.T + 0.4 * (categories[:, None] == categories)
    rewards = (scored.scores - scored.scores.mean()) / scored.scores.std()
    expected: list[int] = []
    for _ in range(5):
        objective = {
            index: 0.5 * rewards[[*expected, index]].sum()
            + 0.5 * np.linalg.slogdet(kernel[np.ix_([*expected, index], [*expected, index])])[1]
            - 0.5 * 0.2 * (categories[expected] == categories[index]).sum()
            for index in range(12)
            if index not in expected
        }
        expected.append(max(objective, key=objective.__getitem__))

    assert selector.select(scored, 5).tolist() == expected


def test_the_candidate_limit_takes_from_every_source_in_proportion() -> None:
    replica = replica_of([content(f"c{index}") for index in range(100)])
    table = replica.state.contents
    proposals = [Proposal.of(np.arange(80)), Proposal.of(np.arange(80, 100))]
    candidates = Candidates.of(proposals, table.content_keys, table.creator_keys)

    kept = CandidateLimitFilter(CandidateLimitSettings(max_candidates=50)).keep(
        ranking_request(replica), candidates
    )

    assert np.flatnonzero(kept).tolist() == [*range(40), *range(80, 90)]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(1, 40))
def test_the_candidate_limit_keeps_the_smallest_shares(sizes: list[int], limit: int) -> None:
    codes = np.repeat(np.arange(len(sizes), dtype=np.uint8), sizes)
    nothing = np.zeros(len(codes), dtype=np.uint64)
    candidates = Candidates(
        np.arange(len(codes)), nothing, nothing, codes, nothing.astype(np.float32), nothing
    )
    shares = np.concatenate([np.arange(size) / max(size, 1) for size in sizes])

    kept = CandidateLimitFilter(CandidateLimitSettings(max_candidates=limit)).keep(
        ranking_request(replica_of([])), candidates
    )

    assert np.flatnonzero(kept).tolist() == sorted(np.argsort(shares, kind="stable")[:limit].tolist())


@pytest.mark.parametrize("max_per_creator", [0, 1])
def test_logged_propensities_are_the_frequencies_with_which_slates_come(max_per_creator: int) -> None:
    """The product of the places' propensities is the slate's: it must match how often the slate is drawn."""
    contents = [content("a", "x"), content("b", "x"), content("c", "y"), content("d", "z")]
    replica, scored = scored_of(contents, [4.0, 3.0, 2.0, 1.0])
    order = TopScoreSelector(SlateSettings(max_per_creator=max_per_creator)).select(scored, 2)
    policy = EpsilonGreedyExploration(ExplorationSettings(epsilon=0.6), max_per_creator)
    request = ranking_request(replica, seed=5)
    drawn: dict[tuple[int, ...], int] = {}
    logged: dict[tuple[int, ...], float] = {}
    num_draws = 3_000

    for _ in range(num_draws):
        slate = policy.explore(request, scored, order)
        key = tuple(slate.order.tolist())
        drawn[key] = drawn.get(key, 0) + 1
        logged[key] = float(np.prod(slate.propensities.astype(np.float64)))

    assert sum(logged.values()) == pytest.approx(1, abs=1e-4)
    for key, count in drawn.items():
        assert count / num_draws == pytest.approx(logged[key], abs=0.04)


def test_only_a_draw_that_changed_the_place_counts_as_explored() -> None:
    replica, scored = scored_of([content("only")], [1.0])

    slate = EpsilonGreedyExploration(ExplorationSettings(epsilon=1.0), 0).explore(
        ranking_request(replica), scored, np.array([0])
    )

    assert slate.explored.tolist() == [False]
    assert slate.propensities.tolist() == [1.0]


def test_upper_confidence_gives_every_nth_place_to_what_is_known_least() -> None:
    contents = [content(name, name) for name in ("known best", "known good", "known fair", "unseen", "bad")]
    watched = {"known best": 900, "known good": 900, "known fair": 900, "bad": 900}
    replica = replica_of(contents, counters=counted({}, watched))
    scored = scored_in(replica, contents, [4.0, 3.0, 2.9, 2.0, 0.0])
    policy = UcbExploration(UcbSettings(every=2, confidence=1.0), 0)

    slate = policy.explore(ranking_request(replica), scored, np.array([0, 1, 2]))

    assert chosen(scored, slate.order) == ["known best", "unseen", "known good"]
    assert slate.explored.tolist() == [False, True, False]
    assert np.isnan(slate.propensities).all()


def test_the_upper_bound_is_the_formula_and_no_answer_stays_last() -> None:
    contents = [content(name, name) for name in "abc"]
    replica = replica_of(contents, counters=counted({}, {"a": 3}))
    scored = scored_in(replica, contents, [2.0, 1.0, np.nan])

    bounds = UcbExploration(UcbSettings(confidence=2.0), 0).upper_bounds(scored)

    bonus = 2.0 * 0.5 * np.sqrt(np.log(6) / np.array([4.0, 1.0]))
    assert bounds[:2].tolist() == pytest.approx((np.array([2.0, 1.0]) + bonus).tolist())
    assert np.isnan(bounds[2])
