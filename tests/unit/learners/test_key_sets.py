"""Small hashes say what sorting says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.key_sets import KeySet, first_of_each, outside, places_in_each

KEYS = st.lists(st.one_of(st.integers(0, 30), st.integers(0, 2**64 - 1)), max_size=80)


@given(KEYS, KEYS)
def test_a_set_holds_its_keys_and_no_others(members: list[int], asked: list[int]) -> None:
    keys = np.array([*asked, *members[:10]], dtype=np.uint64)

    held = KeySet(np.array(members, dtype=np.uint64)).holds(keys)

    assert held.tolist() == [key in members for key in keys.tolist()]


@given(KEYS, KEYS)
def test_keys_outside_are_those_that_a_set_does_not_hold(members: list[int], asked: list[int]) -> None:
    keys = np.array([*asked, *members[:10]], dtype=np.uint64)

    absent = outside(keys, np.array(members, dtype=np.uint64))

    assert absent.tolist() == [key not in members for key in keys.tolist()]


@given(KEYS, KEYS)
def test_a_set_tells_where_a_key_stands_last(members: list[int], asked: list[int]) -> None:
    keys = np.array([*asked, *members[:10]], dtype=np.uint64)

    places = KeySet(np.array(members, dtype=np.uint64)).places(keys)

    last = {key: place for place, key in enumerate(members)}
    assert places.tolist() == [last.get(key, -1) for key in keys.tolist()]


@given(st.lists(st.tuples(KEYS, st.integers(1, 9)), min_size=3, max_size=3), KEYS)
def test_many_sets_tell_at_once_where_keys_stand(sets: list[tuple[list[int], int]], asked: list[int]) -> None:
    keys = tuple(np.array(members, dtype=np.uint64) for members, _ in sets)
    same = np.array([*asked, *sets[0][0][:9]], dtype=np.uint64)
    same.flags.writeable = False

    places = places_in_each(keys, (same, same, same), tuple(first for _, first in sets))

    expected = [np.where((found := KeySet(members).places(same)) < 0, 0, found) for members in keys]
    firsts = [first * KeySet(members).holds(same) for members, (_, first) in zip(keys, sets, strict=True)]
    assert places.tolist() == [(one + first).tolist() for one, first in zip(expected, firsts, strict=True)]


@given(KEYS, st.integers(0, 9))
def test_keys_are_numbered_as_they_come(keys: list[int], first: int) -> None:
    numbers = np.empty(len(keys), dtype=np.int64)

    firsts = first_of_each(np.array(keys, dtype=np.uint64), numbers, first)

    different = list(dict.fromkeys(keys))
    assert [keys[index] for index in firsts] == different
    assert firsts.tolist() == [keys.index(key) for key in different]
    assert numbers.tolist() == [first + different.index(key) for key in keys]


def test_keys_that_fall_on_one_place_are_told_apart() -> None:
    spread = pow(0x9E3779B97F4A7C15, -1, 2**64)
    keys = np.array([spread * number % 2**64 for number in range(1, 40)], dtype=np.uint64)

    assert KeySet(keys[:20]).holds(keys).tolist() == [True] * 20 + [False] * 19
