"""Forward decay: what a sum says does not depend on the order in which the events came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.decayed_rates import DecayedRates, RatesByKey
from messages.codec import MalformedMessageError

START = 1_700_000_000.0
HALF_LIFE = 600.0
offsets = st.lists(st.floats(0, 5_000), min_size=1, max_size=20)


@given(offsets, st.randoms(use_true_random=False))
def test_a_sum_is_each_event_faded_by_its_age_in_any_order(times: list[float], random: object) -> None:
    shuffled = list(times)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    rates = DecayedRates()
    for time in shuffled:
        rates.add(START + time, HALF_LIFE, 1.0, 0.0, 0.0, -2.0)
    newest = max(times)
    expected = sum(0.5 ** ((newest - time) / HALF_LIFE) for time in times)
    assert rates.last_time == START + newest
    assert rates.terminals == pytest.approx(expected, rel=1e-5)
    assert rates.preference == pytest.approx(-2 * expected, rel=1e-5)


def test_rates_by_key_read_as_a_mapping_and_as_arrays_newest_touch_last() -> None:
    by_key = RatesByKey()
    for key, time in ((7, 1.0), (8, 2.0), (9, 3.0), (7, 4.0)):
        by_key.add(key, 3, START + time, HALF_LIFE, 1.0, 1.0, 0.0, 0.5)
    assert list(by_key) == [8, 9, 7]
    assert 8 in by_key
    assert by_key[8] == DecayedRates(START + 2, 1.0, 1.0, 0.0, 0.5)
    assert by_key.get(1) is None
    keys, rows = by_key.arrays()
    assert keys.dtype == np.uint64
    assert rows.shape == (3, 5)
    assert rows[2].tolist() == list(by_key[7].as_tuple())
    by_key.add(1, 3, START + 5, HALF_LIFE, 1.0, 1.0, 0.0, 0.5)
    assert list(by_key) == [9, 7, 1]


def test_rates_without_keys_have_empty_arrays() -> None:
    keys, rows = RatesByKey().arrays()
    assert (keys.shape, rows.shape) == ((0,), (0, 5))


def test_keys_without_their_rows_are_refused() -> None:
    with pytest.raises(MalformedMessageError):
        RatesByKey.from_wire([b"12345678", b"123"])


def test_rates_that_came_over_the_wire_are_those_that_went() -> None:
    sent = RatesByKey()
    for key in (7, 8, 9):
        sent.add(key, 3, START + key, HALF_LIFE, 1.0, 1.0, 0.0, 0.5)
    wire = sent.to_wire()
    came = RatesByKey.from_wire(wire)
    assert (len(came), list(came.rows()), came.to_wire()) == (3, list(sent.rows()), wire)
    for one, other in zip(came.arrays(), sent.arrays(), strict=True):
        assert np.array_equal(one, other)

    for rates in (sent, came):
        rates.add(1, 3, START + 20, HALF_LIFE, 1.0, 1.0, 0.0, 0.5)

    assert list(came) == [8, 9, 1]
    assert came.to_wire() == sent.to_wire()


@pytest.mark.parametrize("wire", [["", ""], [b"12345678", [0.0]], [None, b""]])
def test_keys_and_rates_that_are_no_bytes_are_refused(wire: list[bytes]) -> None:
    with pytest.raises(MalformedMessageError):
        RatesByKey.from_wire(wire)
