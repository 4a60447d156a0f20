"""Every stage keeps the promises of its kind, crossed with every request that we can think of.

A new stage goes into `default_pipeline` and is tested here without another line.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from messages.identifiers import keys_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates, Proposal
from serve_app.pipeline.default_pipeline import build_filters, build_scorers
from serve_app.pipeline.diverse_slate_selector import DiverseSlateSelector, DiverseSlateSettings
from serve_app.pipeline.epsilon_greedy_exploration import EpsilonGreedyExploration, ExplorationSettings
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.stages import Exploration
from serve_app.pipeline.top_score_selector import SlateSettings, TopScoreSelector
from serve_app.pipeline.ucb_exploration import UcbExploration, UcbSettings
from tests.fakes import empty_replica
from tests.ranking_cases import MODEL, REQUESTS, SETTINGS, all_sources, experienced, propose_all, score_all

SOURCES = list(all_sources(empty_replica()))
FILTERS = [stage.name for stage in build_filters(SETTINGS, empty_replica())]
SCORERS = [stage.name for stage in build_scorers(SETTINGS, empty_replica(), MODEL)]
SELECTORS = ["top_score", "top_score uncapped", "diverse_slate", "diverse_slate uncapped"]


def same(before: Candidates, after: Candidates) -> bool:
    return before.rows.tolist() == after.rows.tolist() and before.anchors.tolist() == after.anchors.tolist()


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("name", SOURCES)
class TestSource:
    @pytest.fixture
    def proposal(self, name: str, case: str) -> tuple[ModelReplica, RankingRequest, Proposal]:
        replica, request = REQUESTS[case]()
        source = all_sources(replica)[name]
        return replica, request, source.propose(request)

    def test_proposes_no_content_twice(self, proposal) -> None:
        rows = proposal[2].rows.tolist()
        assert len(set(rows)) == len(rows)

    def test_proposes_only_live_contents(self, proposal) -> None:
        replica, _, proposed = proposal
        assert replica.state.contents.live[proposed.rows].all()

    def test_leaves_out_what_is_excluded(self, proposal) -> None:
        _, request, proposed = proposal
        assert not np.isin(proposed.rows, request.excluded).any()

    def test_keeps_columns_of_one_length_and_type(self, proposal) -> None:
        proposed = proposal[2]
        assert len(proposed.rows) == len(proposed.scores) == len(proposed.anchors)
        assert (proposed.rows.dtype, proposed.scores.dtype, proposed.anchors.dtype) == (
            np.int64,
            np.float32,
            np.uint64,
        )

    def test_puts_its_best_first(self, proposal) -> None:
        assert (np.diff(proposal[2].scores) <= 0).all()

    def test_proposes_the_same_again_from_the_same_draws(self, name: str, case: str) -> None:
        replica, request = REQUESTS[case]()
        source = all_sources(replica)[name]
        state = request.generator.bit_generator.state
        first = source.propose(request).rows.tolist()
        request.generator.bit_generator.state = state
        assert source.propose(request).rows.tolist() == first


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("name", FILTERS)
class TestFilter:
    def test_only_removes(self, name: str, case: str) -> None:
        replica, request = REQUESTS[case]()
        candidates = propose_all(replica, request)
        before = candidates.rows.copy()
        kept = build_filters(SETTINGS, replica)[FILTERS.index(name)].keep(request, candidates)

        assert kept.dtype == np.bool_
        assert kept.shape == (len(candidates),)
        assert candidates.rows.tolist() == before.tolist()

    def test_removes_nothing_the_second_time(self, name: str, case: str) -> None:
        replica, request = REQUESTS[case]()
        stage = build_filters(SETTINGS, replica)[FILTERS.index(name)]
        candidates = propose_all(replica, request)
        kept = candidates.take(stage.keep(request, candidates))

        assert stage.keep(request, kept).all()


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("name", SCORERS)
class TestScorer:
    def test_keeps_order_and_number(self, name: str, case: str) -> None:
        replica, request = REQUESTS[case]()
        scored = score_all(replica, request)
        after = build_scorers(SETTINGS, replica, MODEL)[SCORERS.index(name)].score(request, scored)

        assert same(scored.candidates, after.candidates)
        assert after.scores.shape == (len(scored),)
        assert after.scores.dtype == np.float64
        assert after.probabilities.shape == scored.probabilities.shape
        assert after.probabilities.dtype == np.float32

    def test_leaves_what_it_was_given_as_it_was(self, name: str, case: str) -> None:
        replica, request = REQUESTS[case]()
        scored = score_all(replica, request)
        before = scored.scores.copy(), scored.probabilities.copy()
        build_scorers(SETTINGS, replica, MODEL)[SCORERS.index(name)].score(request, scored)

        assert scored.scores.tolist() == before[0].tolist()
        assert scored.probabilities.tolist() == before[1].tolist()


@pytest.mark.parametrize("case", [name for name in REQUESTS if name != "no contents"])
@pytest.mark.parametrize("with_nan", [False, True])
@pytest.mark.parametrize("name", SELECTORS)
class TestSelector:
    @pytest.fixture
    def selection(self, name: str, case: str, with_nan: bool):
        replica, request = REQUESTS[case]()
        slate = SlateSettings(max_per_creator=0 if "uncapped" in name else 2)
        selector = (
            DiverseSlateSelector(DiverseSlateSettings(window=100), slate, replica)
            if name.startswith("diverse")
            else TopScoreSelector(slate)
        )
        scored = score_all(replica, request, with_nan=with_nan)
        return selector, scored

    def test_selects_as_many_as_there_are_up_to_the_number_asked(self, selection) -> None:
        selector, scored = selection
        for count in (0, 1, 20, 1_000):
            order = selector.select(scored, count)
            assert len(order) == min(count, len(scored))
            assert len(set(order.tolist())) == len(order)

    def test_puts_what_has_no_score_last(self, selection) -> None:
        selector, scored = selection
        missing = np.isnan(scored.scores[selector.select(scored, len(scored))])
        if missing.any():
            assert missing[np.argmax(missing) :].all()

    def test_gives_a_creator_no_more_than_the_cap_while_others_have_any(self, selection, name: str) -> None:
        selector, scored = selection
        if "uncapped" in name or len(scored) < 100:
            return
        creators = scored.candidates.creator_keys[selector.select(scored, 20)]
        assert np.unique(creators, return_counts=True)[1].max() <= 2


EXPLORATIONS: dict[str, Callable[[int], Exploration]] = {
    "epsilon_greedy": lambda cap: EpsilonGreedyExploration(ExplorationSettings(epsilon=0.3), cap),
    "epsilon_greedy never": lambda cap: EpsilonGreedyExploration(ExplorationSettings(epsilon=0.0), cap),
    "epsilon_greedy always": lambda cap: EpsilonGreedyExploration(ExplorationSettings(epsilon=1.0), cap),
    "ucb": lambda cap: UcbExploration(UcbSettings(every=3), cap),
    "ucb never": lambda cap: UcbExploration(UcbSettings(every=1_000), cap),
}


@pytest.mark.parametrize("max_per_creator", [0, 2])
@pytest.mark.parametrize("case", [name for name in REQUESTS if name != "no contents"])
@pytest.mark.parametrize("name", EXPLORATIONS)
class TestExploration:
    @pytest.fixture
    def explored(self, name: str, case: str, max_per_creator: int):
        replica, request = REQUESTS[case]()
        scored = score_all(replica, request)
        order = TopScoreSelector(SlateSettings(max_per_creator=max_per_creator)).select(scored, 10)
        return order, EXPLORATIONS[name](max_per_creator).explore(request, scored, order)

    def test_fills_every_place_once(self, explored) -> None:
        order, slate = explored
        assert len(set(slate.order.tolist())) == len(order) == len(slate.propensities) == len(slate.explored)

    def test_logs_a_true_probability_or_says_that_there_is_none(self, explored, name: str) -> None:
        slate = explored[1]
        if name.startswith("ucb"):
            assert np.isnan(slate.propensities).all()
        else:
            assert ((slate.propensities > 0) & (slate.propensities <= 1.000001)).all()

    def test_without_exploring_the_order_stays(self, explored, name: str) -> None:
        order, slate = explored
        if name.endswith("never"):
            assert slate.order.tolist() == order.tolist()
            assert not slate.explored.any()


def test_the_cases_reach_what_they_are_made_for() -> None:
    """A guard for this suite: every source proposes and every filter removes something in some case."""
    proposed, removed = set(), set()
    for case in REQUESTS.values():
        replica, request = case()
        proposed |= {s.name for s in all_sources(replica).values() if len(s.propose(request))}
        candidates = propose_all(replica, request)
        removed |= {s.name for s in build_filters(SETTINGS, replica) if not s.keep(request, candidates).all()}

    assert proposed == set(SOURCES)
    assert removed == set(FILTERS) - {"candidate_limit"}
    assert keys_of(["u11"])[0] in experienced().blocked_creators
