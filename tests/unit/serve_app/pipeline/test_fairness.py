"""Bounds on exposure: held over requests, whatever the scores say, with a state that stays small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.identifiers import MISSING_KEY, key_of, keys_of
from messages.updates import DECAYED_COUNTERS, HALF_LIVES, CounterRows
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.category_mix_scorer import CategoryMixScorer, CategoryMixSettings
from serve_app.pipeline.category_worth import category_worth
from serve_app.pipeline.creator_decay_scorer import CreatorDecayScorer, CreatorDecaySettings
from serve_app.pipeline.exposure_prices import ExposurePrices
from serve_app.pipeline.fairness_scorer import FairnessScorer, FairnessSettings
from tests.fakes import content, ranking_request, replica_of
from tests.scored_candidates import candidates_of


def exposures(shown: ScoredCandidates, keys: np.ndarray) -> dict[int, float]:
    weights = 1 / np.log2(np.arange(len(shown)) + 2)
    weights /= weights.sum()
    return {int(key): float(weights[keys == key].sum()) for key in np.unique(keys)}


def shares_of(groups: list[int], weights: list[float]) -> dict[int, float]:
    shares: dict[int, float] = {}
    for group, weight in zip(groups, weights, strict=True):
        shares[group] = shares.get(group, 0.0) + weight / sum(weights)
    return {group: share for group, share in shares.items() if group != MISSING_KEY}


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), min_size=1, max_size=5)
        ),
        max_size=8,
    )
)
def test_prices_move_by_what_breaks_a_bound(slates: list[tuple[list[int], list[int]]]) -> None:
    prices = ExposurePrices(min_ratio=0.5, max_share=0.3, step=0.4, max_price=0.5, max_groups=100)
    expected: dict[int, tuple[float, float]] = {}
    for candidates, shown in slates:
        prices.observe(np.array(candidates, dtype=np.uint64), np.array(shown, dtype=np.uint64))
        got = shares_of(shown, [1 / np.log2(place + 2) for place in range(len(shown))])
        supply = shares_of(candidates, [1.0] * len(candidates))
        for group in {*expected, *got, *supply}:
            reward, price = expected.get(group, (0.0, 0.0))
            exposure, least = got.get(group, 0.0), 0.5 * supply.get(group, 0.0)
            moved = reward + 0.4 * (least - exposure), price + 0.4 * (exposure - 0.3)
            expected[group] = tuple(np.clip(moved, 0.0, 0.5))
        expected = {group: both for group, both in expected.items() if max(both) > 0}

    assert len(prices) == len(expected)
    groups = np.arange(10, dtype=np.uint64)
    wanted = [expected.get(group, (0.0, 0.0)) for group in range(10)]
    assert prices.adjustments(groups) == pytest.approx([reward - price for reward, price in wanted])


def test_categories_and_creators_stay_within_their_bounds_over_requests() -> None:
    """Pop always scores highest, and one creator highest of all; jazz scores lowest."""
    contents = [
        content(f"c{index}", f"u{index % 20}", ("pop", "rock", "jazz")[index % 3]) for index in range(60)
    ]
    replica = replica_of(contents)
    settings = FairnessSettings(
        min_category_ratio=0.5, max_category_share=0.5, max_creator_share=0.1, max_price=4.0, step=0.1
    )
    scorer, draws, request = (
        FairnessScorer(settings, replica),
        np.random.default_rng(0),
        ranking_request(replica),
    )
    taste = {"pop": 1.0, "rock": 0.5, "jazz": 0.0}
    categories: dict[int, list[float]] = {}
    creators: dict[int, list[float]] = {}
    for _ in range(800):
        scores = [taste[c.metadata.category] + (c.creator_id == "u0") for c in contents]
        scored = candidates_of(replica, (np.array(scores) + 0.2 * draws.normal(size=60)).tolist())
        after = scorer.score(request, scored)
        shown = after.take(np.argsort(-after.scores)[:10])
        scorer.observe(request, after, shown)
        for sums, keys in (
            (categories, shown.contents.category_keys),
            (creators, shown.contents.creator_keys),
        ):
            for key, share in exposures(shown, keys).items():
                sums.setdefault(key, []).append(share)

    tolerance = settings.max_price / (settings.step * 800) + 0.005
    shares = {name: sum(categories[key_of(name)]) / 800 for name in taste}
    assert shares["pop"] <= 0.5 + tolerance
    assert shares["jazz"] >= 0.5 * 20 / 60 - tolerance
    assert max(sum(values) / 800 for values in creators.values()) <= 0.1 + tolerance
    assert shares["pop"] > shares["rock"] > shares["jazz"]  # no more than the bounds ask


Slates = st.lists(
    st.tuples(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(1, 8)), max_size=30
)


@given(Slates)
def test_a_price_below_its_limit_bounds_by_how_much_exposure_exceeds(slates) -> None:
    prices = ExposurePrices(min_ratio=0.0, max_share=0.4, step=0.1, max_price=100.0, max_groups=100)
    excess = dict.fromkeys(range(1, 6), 0.0)
    for groups, count in slates:
        shown = np.array(groups[:count], dtype=np.uint64)
        prices.observe(np.array(groups, dtype=np.uint64), shown)
        weights = 1 / np.log2(np.arange(len(shown)) + 2)
        for group in excess:
            excess[group] += float(weights[shown == group].sum() / weights.sum()) - 0.4

    for group, total in excess.items():
        price = -float(prices.adjustments(np.array([group], dtype=np.uint64))[0])
        assert price >= 0
        assert total <= price / 0.1 + 1e-9


@given(Slates, st.integers(1, 4))
def test_prices_are_few_and_a_function_of_what_was_shown(slates, max_groups: int) -> None:
    def observed() -> ExposurePrices:
        prices = ExposurePrices(min_ratio=0.5, max_share=0.3, step=0.5, max_price=1.0, max_groups=max_groups)
        for groups, count in slates:
            keys = np.array(groups, dtype=np.uint64)
            prices.observe(keys, keys[:count])
        return prices

    first, again = observed(), observed()
    every = np.arange(6, dtype=np.uint64)
    assert len(first) <= max_groups
    assert first.adjustments(every).tolist() == again.adjustments(every).tolist()
    assert np.abs(first.adjustments(every)).max() <= 1.0
    assert first.adjustments(every)[MISSING_KEY] == 0


def test_within_the_bounds_no_score_moves() -> None:
    replica = replica_of([content("a", "x", "k"), content("b", "y", "l")])
    settings = FairnessSettings(min_category_ratio=0.5, max_creator_share=1.0, max_category_share=0.7)
    scorer, request = FairnessScorer(settings, replica), ranking_request(replica)
    scored = candidates_of(replica, [2.0, 1.0])
    for order in ([0, 1], [1, 0]) * 20:
        scorer.observe(request, scored, scored.take(np.array(order)))

    assert scorer.score(request, scored).scores.tolist() == [2.0, 1.0]


def test_a_category_that_no_source_proposes_is_owed_its_share_of_the_catalogue() -> None:
    replica = replica_of([content("a", "x", "pop"), content("b", "y", "jazz")])
    settings = FairnessSettings(max_creator_share=1.0, max_category_share=1.0)
    scorer, request = FairnessScorer(settings, replica), ranking_request(replica)
    proposed = candidates_of(replica, [2.0])
    for _ in range(20):
        scorer.observe(request, proposed, proposed)

    both = candidates_of(replica, [2.0, 1.0])
    moved = scorer.score(request, both).scores - both.scores
    assert moved[0] == 0
    assert moved[1] == pytest.approx(both.scores.std() * 20 * settings.step * 0.9 / 2, rel=0.2)


def test_a_category_that_is_skipped_is_owed_less_but_never_nothing() -> None:
    replica = replica_of([content("a", "x", "pop"), content("b", "y", "jazz")])
    scored = candidates_of(replica, [2.0, 1.0])
    decayed = np.zeros((2, len(HALF_LIVES), len(DECAYED_COUNTERS)))
    decayed[:, 0, DECAYED_COUNTERS.index("terminals")] = 1_000.0
    decayed[0, 0, DECAYED_COUNTERS.index("engaged")] = 1_000.0
    times = np.full(2, ranking_request(replica).now)
    disliked = replace(scored, counters=replace(scored.counters, decayed=decayed, times=times))

    def owed(considered: ScoredCandidates) -> float:
        settings = FairnessSettings(max_creator_share=1.0, max_category_share=1.0, least_worth=0.25)
        scorer, request = FairnessScorer(settings, replica), ranking_request(replica)
        for _ in range(10):
            scorer.observe(request, considered, scored.take(np.array([0])))
        return float((scorer.score(request, scored).scores - scored.scores)[1])

    assert owed(disliked) == pytest.approx(0.25 * owed(scored))


def test_worth_is_engagement_over_the_usual_and_fades_within_hours() -> None:
    counters = CounterRows.zeros(keys_of(["a", "b", "c"]))
    counters.decayed[:, 0, DECAYED_COUNTERS.index("terminals")] = 1_000.0, 3_000.0, 0.0
    counters.decayed[:, 0, DECAYED_COUNTERS.index("engaged")] = 800.0, 1_200.0, 0.0
    categories = np.array([7, 3, 5], dtype=np.uint64)

    found, worth = category_worth(categories, counters, now=0.0)
    assert found.tolist() == [7, 3, 5]
    assert worth == pytest.approx([1.6, 0.8, 1.0], rel=0.01)
    _, later = category_worth(categories, counters, now=24 * 3_600.0)
    assert later == pytest.approx([1.0, 1.0, 1.0], abs=0.01)


def test_a_creators_further_contents_count_less_and_what_is_below_zero_stays() -> None:
    contents = [content(name, name[0]) for name in ("a1", "b1", "a2", "a3", "b2")] + [
        content("c"),
        content("d"),
    ]
    replica = replica_of(contents)
    scored = candidates_of(replica, [4.0, 3.0, 2.0, np.nan, -1.0, 1.0, 1.0])

    after = CreatorDecayScorer(CreatorDecaySettings(decay=0.5, floor=0.2)).score(
        ranking_request(replica), scored
    )

    assert after.scores.tolist() == pytest.approx([4.0, 3.0, 2.0 * 0.6, np.nan, -1.0, 1.0, 1.0], nan_ok=True)


def test_a_category_that_fills_page_after_page_gives_way() -> None:
    served = [f"p{index}" for index in range(8)] + ["r0", "r1"]
    contents = [content(name, name, "pop" if name[0] == "p" else "rock") for name in [*served, "p", "r"]]
    replica = replica_of(contents)
    settings = CategoryMixSettings(window=10, max_share=0.5, strength=2.0)
    scorer = CategoryMixScorer(settings, replica)
    scored = candidates_of(replica, [0.0] * 10 + [1.0, 0.9])

    after = scorer.score(ranking_request(replica, served=served), scored)

    lost = 2.0 * scored.scores.std() * (0.8 - 0.5) / 0.5
    assert after.scores[-2:].tolist() == pytest.approx([1.0 - lost, 0.9])
    few = scorer.score(ranking_request(replica, served=served[:4]), scored)
    assert few.scores.tolist() == scored.scores.tolist()
    assert keys_of(["pop"])[0] in after.contents.category_keys
