"""Cutting EXAMPLES so that every bucket takes each message exactly once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.span_cutter import ExamplesMessage, LostExamplesError, MiniBatch, SpanCutter
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from messages.updates import Span


def message(partition: int, sequence: int, previous: int, watermark: float = 0.0) -> ExamplesMessage:
    header = ExamplesHeader("joiner", sequence * 10, watermark, 1, previous)
    return ExamplesMessage(partition, sequence, header, ExampleBatch.empty())


def positions(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_a_cut_takes_messages_of_all_partitions_in_the_order_of_the_stream() -> None:
    cutter = SpanCutter({0: positions(0), 1: positions(0)})
    for item in (message(0, 1, 0), message(1, 2, 0), message(0, 3, 1)):
        assert cutter.add(item)
    cut = cutter.cut(max_rows=10)
    assert cut is not None
    assert [item.sequence for item in cut.messages] == [1, 2, 3]
    assert (cut.spans[0].start, cut.spans[0].end) == (0, 3)
    assert (cut.spans[1].start, cut.spans[1].end) == (0, 2)
    cutter.done(cut)
    assert cutter.cut(max_rows=10) is None


def test_a_message_read_twice_is_passed_over() -> None:
    cutter = SpanCutter({0: positions(5)})
    assert not cutter.add(message(0, 5, 4))
    assert cutter.add(message(0, 7, 5))
    assert not cutter.add(message(0, 7, 5))


def test_a_gap_in_the_stream_stops_loudly() -> None:
    cutter = SpanCutter({0: positions(5)})
    with pytest.raises(LostExamplesError, match="follows 8, but 5 was read last"):
        cutter.add(message(0, 9, 8))


def test_a_partition_on_which_buckets_differ_is_cut_alone_and_where_they_stand() -> None:
    cutter = SpanCutter({0: positions(1, 3, 3), 1: positions(0)})
    for item in (message(0, 2, 1), message(0, 3, 2), message(0, 4, 3), message(1, 5, 0)):
        cutter.add(item)
    first = cutter.cut(max_rows=100)
    assert first is not None
    assert set(first.spans) == {0}
    assert (first.spans[0].start, first.spans[0].end) == (1, 3)
    cutter.done(first)
    second = cutter.cut(max_rows=100)
    assert second is not None
    assert [item.sequence for item in second.messages] == [4, 5]


def test_in_time_order_nothing_is_cut_until_every_partition_has_spoken() -> None:
    cutter = SpanCutter({0: positions(0), 1: positions(0)})
    cutter.add(message(0, 1, 0, watermark=10.0))
    cutter.add(message(0, 2, 1, watermark=20.0))
    assert cutter.cut_in_time_order(max_rows=1) is None
    cutter.add(message(1, 3, 0, watermark=10.0))
    cut = cutter.cut_in_time_order(max_rows=1)
    assert cut is not None
    assert [item.sequence for item in cut.messages] == [1, 3]


@given(data=st.data())
def test_every_bucket_is_offered_each_message_once_from_where_it_stands(data: st.DataObject) -> None:
    num_messages = data.draw(st.integers(1, 12))
    stands = data.draw(st.lists(st.integers(0, num_messages), min_size=1, max_size=4))
    cutter = SpanCutter({0: positions(*stands)})
    for sequence in range(1, num_messages + 1):
        cutter.add(message(0, sequence, sequence - 1))
    buckets = list(stands)
    while (cut := cutter.cut(max_rows=data.draw(st.integers(1, 5)))) is not None:
        span = cut.spans[0]
        for index, stand in enumerate(buckets):
            assert stand >= span.end or stand == span.start, "a span may not straddle a bucket"
            buckets[index] = max(stand, span.end)
        cutter.done(cut)
    assert buckets == [num_messages] * len(stands)


def test_what_follows_a_mini_batch_under_way_is_what_is_cut_when_it_is_done() -> None:
    cutter = SpanCutter({0: positions(0), 1: positions(0)})
    for item in (message(0, 1, 0), message(1, 2, 0), message(0, 3, 1), message(1, 4, 2)):
        cutter.add(item)
    first = MiniBatch([message(0, 1, 0)], {0: Span(0, 1, 10, 0.0, 0)})
    following = cutter.cut_after(first, max_rows=10)
    assert following is not None
    assert [item.sequence for item in following.messages] == [2, 3, 4]
    cutter.done(first)
    assert cutter.cut(max_rows=10) == following


def test_nothing_is_known_to_follow_while_buckets_differ() -> None:
    cutter = SpanCutter({0: positions(1, 3), 1: positions(0)})
    for item in (message(0, 3, 1), message(0, 4, 3), message(1, 5, 0)):
        cutter.add(item)
    first = cutter.cut(max_rows=10)
    assert first is not None
    assert cutter.cut_after(first, max_rows=10) is None
    cutter.done(first)
    second = cutter.cut(max_rows=10)
    assert second is not None
    assert cutter.cut_after(second, max_rows=10) is None
