"""The compiled steps of the search for neighbours do what plain Python says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.user_state import UserState
from messages.arrays import DoubleArray, FloatArray, IntArray
from messages.identifiers import key_of
from serve_app.pipeline.neighbour_search import most_met, nearest, raised
from serve_app.pipeline.neighbour_table import LIKED, WATCHED, Ratings
from serve_app.pipeline.rated_contents import RatedContents

NUM_ROWS = 10
People = tuple[IntArray, FloatArray, IntArray]


def people_of(draws: np.random.Generator, count: int) -> People:
    """Draw what people think of some of ten contents: row numbers, ratings, how many."""
    rows = np.array([draws.permutation(NUM_ROWS)[:6] for _ in range(count)]).reshape(count, 6)
    return rows, draws.integers(0, 3, (count, 6)).astype(np.float32), draws.integers(1, 7, count)


def rating_of(people: People, slot: int) -> dict[int, float]:
    rows, values, counts = people
    known = counts[slot]
    return dict(zip(rows[slot, :known].tolist(), values[slot, :known].tolist(), strict=True))


@given(st.lists(st.integers(0, 6)), st.integers(-1, 6), st.integers(1, 8))
def test_who_is_met_most_often_is_compared(met: list[int], own: int, count: int) -> None:
    times = Counter(slot for slot in met if slot != own)
    expected = sorted(times)
    if len(times) > count:
        expected = sorted(times, key=lambda slot: (-times[slot], slot))[:count]

    assert most_met(np.array(met, dtype=np.int64), own, 7, count).tolist() == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_nearest_are_those_of_the_highest_cosine_damped_by_overlap(seed: int, count: int) -> None:
    draws = np.random.default_rng(seed)
    people = people_of(draws, 8)
    own = rating_of(people_of(draws, 1), 0)
    norms = np.array([np.linalg.norm([*rating_of(people, slot).values()]) for slot in range(8)])
    room = np.full(NUM_ROWS, -1, dtype=np.float32)

    slots, similarities = nearest(
        np.arange(8),
        np.array([*own, -1], dtype=np.int64),  # one that nobody else rates
        np.array([*own.values(), 2.0], dtype=np.float32),
        (*people, norms),
        room,
        count,
    )

    length = np.sqrt(4.0 + sum(value**2 for value in own.values()))
    expected: DoubleArray = np.zeros(8)
    for slot in range(8):
        shared = own.keys() & (theirs := rating_of(people, slot)).keys()
        product = sum(own[row] * theirs[row] for row in shared)
        cosine = product / max(length * norms[slot], 1e-12)
        expected[slot] = cosine * len(shared) / (len(shared) + 3)
    assert np.all(expected[slots] > 0)
    assert len(slots) == min(count, int((expected > 0).sum()))
    assert similarities == pytest.approx(np.sort(expected)[::-1][: len(slots)])
    assert similarities == pytest.approx(expected[slots])
    assert (room == -1).all()


@given(st.integers(0, 2**32 - 1))
def test_a_content_is_raised_by_what_neighbours_rate_it_above_their_means(seed: int) -> None:
    draws = np.random.default_rng(seed)
    people = people_of(draws, 4)
    weights, means, room = draws.random(4), draws.random(4) * 2, np.zeros(NUM_ROWS)

    rows, pulls = raised(np.arange(4), weights, (*people, means), room)

    expected: Counter[int] = Counter()
    for slot in range(4):
        for row, value in rating_of(people, slot).items():
            expected[row] += weights[slot] * (value - means[slot])
    found = dict(zip(rows.tolist(), pulls.tolist(), strict=True))
    assert found == pytest.approx({row: pull for row, pull in expected.items() if pull > 0})
    assert not room.any()


EVENTS = st.tuples(st.sampled_from(["view", "skip", "like", "save", "hide"]), st.sampled_from("abcdef"))


@given(st.lists(EVENTS), st.integers(1, 8))
def test_ratings_are_what_was_watched_then_what_was_only_liked(
    events: list[tuple[str, str]], limit: int
) -> None:
    state = UserState.empty("ada")
    for event_type, content_id in events:
        event = {"event_type": event_type, "content_id": content_id, "watch_duration": 30.0}
        state.apply(event, 1.0e9, None)
    expected = {key: WATCHED * viewed for key, viewed in state.engagements.items()}
    expected |= dict.fromkeys(state.liked_contents, LIKED)

    ratings = Ratings.of(state, limit)

    found = list(zip(ratings.keys.tolist(), ratings.values.tolist(), strict=True))
    assert found == list(expected.items())[-limit:]


def test_a_content_that_nobody_rates_any_more_gives_its_row_to_another() -> None:
    contents = RatedContents(max_raters=2)
    keys = np.array([key_of("a"), key_of("b")], dtype=np.uint64)
    ones = np.ones(2, dtype=np.float32)
    for slot in (5, 6, 7):
        contents.rate(keys, slot * ones, slot)

    assert contents.raters(contents.rows(keys).tolist()).tolist() == [6, 7, 6, 7]  # the newest two of each
    assert contents.mean == 6.0
    gone = contents.rows(keys[:1])
    for slot in (5, 6, 7):
        contents.forget(keys[:1], slot * ones[:1])
    assert (len(contents), contents.rows(keys).tolist()[0]) == (1, -1)

    other = np.array([key_of("c")], dtype=np.uint64)
    contents.rate(other, ones[:1], 9)
    assert contents.rows(other) == gone
    assert contents.raters(gone.tolist()).tolist() == [9]
    assert (contents.totals[gone], contents.counts[gone]) == (1.0, 1)
