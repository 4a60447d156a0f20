"""Counters: exact totals, fading sums, and no dependence on the order of events."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES, CounterRows
from parameter_server.counter_table import CounterTable

NOW = 1.7e9


def one_event(key: int, time: float, amount: int = 1) -> CounterRows:
    rows = CounterRows.zeros(np.array([key], dtype=np.uint64))
    rows.totals[:] = amount
    rows.decayed[:] = amount
    rows.times[:] = time
    return rows


def brought_to(rows: CounterRows, now: float) -> np.ndarray:
    fading = 2.0 ** (-(now - rows.times[:, None]) / np.array(HALF_LIVES))
    return rows.decayed * fading[:, :, None]


events = st.lists(st.tuples(st.integers(1, 5), st.floats(0, 50_000), st.integers(0, 9)), max_size=20)


@given(events, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(happened: list[tuple[int, float, int]], random) -> None:
    shuffled = random.sample(happened, len(happened))
    ids = np.arange(1, 6, dtype=np.uint64)
    expected = np.zeros((5, len(HALF_LIVES)))
    for key, ago, amount in happened:
        expected[key - 1] += amount * 2.0 ** (-ago / np.array(HALF_LIVES))
    for order in (happened, shuffled):
        table = CounterTable()
        for version, (key, ago, amount) in enumerate(order, start=1):
            table.add(one_event(key, NOW - ago, amount), version)
        rows = table.read(ids)
        totals = [sum(amount for key, _, amount in happened if key == wanted) for wanted in range(1, 6)]
        assert rows.totals.tolist() == [[total] * len(COUNTER_TOTALS) for total in totals]
        for column in range(len(DECAYED_COUNTERS)):
            np.testing.assert_allclose(brought_to(rows, NOW)[:, :, column], expected, rtol=1e-9, atol=1e-12)


def test_a_sum_is_half_as_much_after_its_half_life() -> None:
    table = CounterTable()
    table.add(one_event(7, NOW), 1)
    table.add(one_event(7, NOW + HALF_LIVES[0], amount=0), 2)
    rows = table.read(np.array([7], dtype=np.uint64))
    np.testing.assert_allclose(rows.decayed[0, 0], 0.5)
    assert rows.times.tolist() == [NOW + HALF_LIVES[0]]


def test_unknown_contents_read_as_zeros_and_the_missing_key_is_never_counted() -> None:
    table = CounterTable()
    table.add(one_event(0, NOW), 1)
    rows = table.read(np.array([0, 9], dtype=np.uint64))
    assert len(table) == 0
    assert not rows.totals.any()
    assert not rows.decayed.any()
    assert not rows.times.any()


def test_changes_and_snapshots_carry_whole_rows() -> None:
    table, copy = CounterTable(), CounterTable()
    table.add(one_event(1, NOW, 3), 1)
    table.add(one_event(2, NOW + 60, 4), 2)
    changed = table.changed_since(1)
    assert changed.ids.tolist() == [2]
    assert (changed.totals == 4).all()
    copy.load(table.all_rows())
    for name in ("totals", "decayed", "times"):
        ids = np.array([2, 1, 3], dtype=np.uint64)
        assert np.array_equal(getattr(copy.read(ids), name), getattr(table.read(ids), name))
