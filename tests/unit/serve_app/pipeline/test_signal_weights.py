"""The table of what signals are worth: what may stand in it, and what it makes of heads and counters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from messages.examples import OUTPUTS
from messages.identifiers import keys_of
from messages.updates import COUNTER_TOTAL_INDEX, CounterRows
from serve_app.pipeline.candidate import Candidates, Proposal, ScoredCandidates
from serve_app.pipeline.feature_hydrator import FeatureHydrator
from serve_app.pipeline.signal_weights import (
    SIGNALS,
    SignalWeights,
    SignalWeightsError,
    checked_weights,
    known_weights,
)
from tests.fakes import KnownModel, content, delta, ranking_request, replica_of


def scored(**totals: list[int]) -> ScoredCandidates:
    """Two contents, every head at a half, with these total counts."""
    replica = replica_of([content("a"), content("b")])
    counters = CounterRows.zeros(keys_of(["a", "b"]))
    for name, counts in totals.items():
        counters.totals[:, COUNTER_TOTAL_INDEX[name]] = counts
    replica.apply_whole(delta(2, previous=1, counters=counters))
    contents = replica.state.contents
    rows = contents.find(keys_of(["a", "b"]))
    candidates = Candidates.of([Proposal.of(rows)], contents.content_keys, contents.creator_keys)
    hydrated = FeatureHydrator(replica, KnownModel()).hydrate(ranking_request(replica), candidates)
    return replace(hydrated, probabilities=np.full((2, len(OUTPUTS)), 0.5, dtype=np.float32))


def test_a_content_that_everybody_skips_and_reports_pays_for_it() -> None:
    contents = scored(views=[40, 40], skips=[40, 0], reports=[10, 0])

    scores = SignalWeights({"skip_rate": -1.0, "report_rate": -20.0}).score(contents)

    assert scores.tolist() == pytest.approx([-(40 + 20 * 10) / 100, 0.0])


def test_one_report_of_a_content_that_nobody_has_seen_proves_little() -> None:
    scores = SignalWeights({"report_rate": -1.0}).score(scored(views=[1, 1_000], reports=[1, 500]))

    assert scores[0] > -0.05
    assert scores[1] < -0.45


def test_heads_and_rates_add_up() -> None:
    weights = SignalWeights({"like": 2.0, "replay_rate": 4.0, "save": 0.0})

    assert weights.score(scored(views=[20, 20], replays=[10, 0])).tolist() == pytest.approx([2.0, 1.0])


def test_a_table_that_is_tried_holds_for_the_block_only_even_when_it_fails() -> None:
    weights = SignalWeights({"like": 1.0}, revision=3)

    def fail() -> None:
        with weights.tried({"like": 7.0}):
            assert weights.score(scored())[0] == pytest.approx(3.5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (weights.table, weights.revision) == ({"like": 1.0}, 3)
    assert weights.score(scored())[0] == pytest.approx(0.5)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 10**400, "2", True, None, -1_001])
def test_a_wrong_weight_names_its_signal(weight: object) -> None:
    with pytest.raises(SignalWeightsError, match="a number between -1000 and 1000") as caught:
        checked_weights({"like": 1, "share": weight})
    assert caught.value.field == "share"


def test_of_a_table_that_another_version_stored_the_known_signals_hold() -> None:
    assert known_weights({"like": 2, "teleported": 9.0}) == {"like": 2.0}


def test_every_signal_may_have_a_weight() -> None:
    assert set(checked_weights(dict.fromkeys(SIGNALS, -1))) == set(SIGNALS)
