"""A replica's counters are those that were put there last, and zeros for what nobody watched."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from messages.arrays import IdArray
from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES, CounterRows
from serve_app.counter_columns import CounterColumns

STORED = np.arange(1, 400, dtype=np.uint64)


def drawn(ids: IdArray) -> CounterRows:
    draws = np.random.default_rng(0)
    return CounterRows(
        ids,
        draws.integers(1, 99, (len(ids), len(COUNTER_TOTALS))),
        draws.random((len(ids), len(HALF_LIVES), len(DECAYED_COUNTERS))),
        draws.random(len(ids)),
    )


@given(st.lists(st.integers(1, 500), max_size=60))
def test_counters_are_read_as_they_were_put(ids: list[int]) -> None:
    columns, counters = CounterColumns(), drawn(STORED)
    columns.put(counters)
    asked = np.array(ids, dtype=np.uint64)

    read = columns.read(asked)

    known = np.isin(asked, STORED)
    expected = counters.take(np.where(known, asked.astype(np.int64) - 1, 0))
    assert read.ids.tolist() == ids
    np.testing.assert_array_equal(read.totals, expected.totals * known[:, None])
    np.testing.assert_array_equal(read.decayed, expected.decayed * known[:, None, None])
    np.testing.assert_array_equal(read.times, expected.times * known)
    np.testing.assert_array_equal(columns.totals(asked), read.totals)
    np.testing.assert_array_equal(columns.sums(asked, np.array([2, 0])), read.totals[:, [2, 0]].sum(axis=1))
