"""Neighbours: who is like whom, what is predicted of it, and that the table stays bounded and follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.user_state import UserState
from messages.identifiers import key_of
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.collaborative_source import CollaborativeSettings, CollaborativeSource
from serve_app.pipeline.hybrid_source import HybridSettings, HybridSource
from serve_app.pipeline.neighbour_table import NeighbourSettings, NeighbourTable
from tests.fakes import NOW, content, ranking_request, replica_of

VERBS = {0: "skip", 1: "view", 2: "like"}


def person(name: str, **ratings: int) -> UserState:
    state = UserState.empty(name)
    for content_id, rating in ratings.items():
        event = {"event_type": VERBS[rating], "content_id": content_id, "watch_duration": 30.0}
        state.apply(event, NOW, None)
    return state


def table_of(*people: UserState, **settings: int) -> NeighbourTable:
    table = NeighbourTable(NeighbourSettings(**settings))
    for state in people:
        table.observe(state)
    return table


def predicted(table: NeighbourTable, state: UserState) -> dict[int, float]:
    predictions = table.predict(state)
    return dict(zip(predictions.keys.tolist(), predictions.ratings.tolist(), strict=True))


def test_what_neighbours_like_is_predicted_by_the_formula() -> None:
    """By hand: m, b_u, b_c, and the neighbours' deviations weighed by their shares of the similarity."""
    bob, eve = person("bob", a=2, b=2, x=2, z=0), person("eve", a=2, x=1, y=2)
    ada = person("ada", a=2, b=1)

    found = predicted(table_of(bob, eve), ada)

    def similarity(products: float, length: float, overlap: int) -> float:
        return products / (np.sqrt(5) * length) * overlap / (overlap + 3)

    near_bob, near_eve = similarity(6, np.sqrt(12), 2), similarity(4, 3, 1)
    share_bob = near_bob / (near_bob + near_eve)
    share_eve = 1 - share_bob
    mean = 11 / 7
    own = (3 - 2 * mean) / (2 + 5)
    x_bias = (3 - 2 * mean) / (2 + 5)
    expected = mean + own + x_bias + share_bob * (2 - 6 / 4) + share_eve * (1 - 5 / 3)
    assert found[key_of("x")] == pytest.approx(expected)
    y_bias = (2 - mean) / (1 + 5)
    assert found[key_of("y")] == pytest.approx(mean + own + y_bias + share_eve * (2 - 5 / 3))
    assert key_of("z") not in found  # a neighbour skipped it


def test_nobody_is_their_own_neighbour() -> None:
    ada = person("ada", a=2, b=0)

    assert predicted(table_of(ada), ada) == {}


def test_without_a_common_content_there_is_no_neighbour() -> None:
    assert predicted(table_of(person("bob", x=2, y=0)), person("ada", a=2)) == {}
    assert predicted(table_of(person("bob", x=2, y=0)), person("ada")) == {}


def test_what_a_person_thinks_by_now_counts_when_they_are_observed_again() -> None:
    bob, ada = person("bob", a=2, x=2, z=0), person("ada", a=2)
    table = table_of(bob)
    assert key_of("x") in predicted(table, ada)
    bob.apply({"event_type": "skip", "content_id": "x", "watch_duration": 0.1}, NOW, None)
    bob.apply({"event_type": "hide", "content_id": "x"}, NOW, None)
    bob.apply({"event_type": "like", "content_id": "y"}, NOW, None)
    table.observe(bob)

    assert key_of("x") not in predicted(table, ada)
    assert key_of("y") in predicted(table, ada)


def test_who_asked_longest_ago_makes_room() -> None:
    table = table_of(person("old", a=2, x=2, z=0), person("new", a=2, y=2, z=0), max_people=1)

    assert len(table) == 1
    assert set(predicted(table, person("ada", a=2))) >= {key_of("y")}
    assert key_of("x") not in predicted(table, person("ada", a=2))


States = st.tuples(
    st.integers(0, 7), st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2), max_size=5)
)


@given(st.lists(States, max_size=25))
def test_any_history_leaves_what_a_new_table_of_the_newest_states_has(history) -> None:
    table = table_of(max_people=4, max_ratings=4)
    newest: dict[int, UserState] = {}
    for who, ratings in history:
        state = person(f"u{who}", **ratings)
        table.observe(state)
        if ratings:
            newest.pop(who, None)
            newest[who] = state
    fresh = table_of(*list(newest.values())[-4:], max_people=4, max_ratings=4)

    ada = person("ada", a=2, c=1, e=2)
    found, expected = predicted(table, ada), predicted(fresh, ada)
    assert set(found) == set(expected)
    assert [found[key] for key in found] == pytest.approx([expected[key] for key in found])
    assert (len(table), table.num_contents) == (len(fresh), fresh.num_contents)
    assert table.num_contents <= 4 * 4


def test_the_source_proposes_live_and_unseen_contents_by_predicted_rating() -> None:
    replica = replica_of([content("a"), content("x"), content("y"), content("seen")])
    table = table_of(person("bob", a=2, x=2, y=1, seen=2, gone=2, z=0, w=0, v=0, u=0, t=0))
    source = CollaborativeSource(CollaborativeSettings(), replica, table)

    proposal = source.propose(ranking_request(replica, person("ada", a=2), excluded=["a", "seen"]))

    assert replica.contents(proposal.rows).content_ids == ["x", "y"]
    assert proposal.scores[0] > proposal.scores[1]
    assert not proposal.anchors.any()


class Fixed:
    def __init__(self, rows: list[int], scores: list[float], anchor: int = 0) -> None:
        self.name = "fixed"
        self._proposal = Proposal.of(
            np.array(rows, dtype=np.int64),
            np.array(scores),
            np.full(len(rows), anchor, dtype=np.uint64),
        )

    def propose(self, request) -> Proposal:
        return self._proposal


def test_the_hybrid_weighs_both_sides_by_alpha_and_keeps_the_liked_content_as_reason() -> None:
    replica = replica_of([content("a")])
    hybrid = HybridSource(HybridSettings(alpha=0.25), Fixed([1, 2], [0.8, 0.4], 7), Fixed([2, 3], [1.0, 0.2]))

    proposal = hybrid.propose(ranking_request(replica))

    assert proposal.rows.tolist() == [2, 1, 3]
    assert proposal.scores.tolist() == pytest.approx([0.25 * 0.4 + 0.75, 0.25 * 0.8, 0.75 * 0.2])
    assert proposal.anchors.tolist() == [7, 7, 0]
