"""What a shard answers to an update, by where its buckets stand."""

from __future__ import annotations

import numpy as np
import pytest

from messages.updates import Position, Span, UpdateOutcome
from parameter_server.positions import BucketPositions, PositionLedger


def span(start: int, end: int, examples: int = 1) -> Span:
    return Span(start, end, feed_position=10 * end, watermark=100.0 * end, examples=examples)


def ledger_at(*standing: list[int]) -> PositionLedger:
    """A ledger whose buckets 0, 1, ... stand at the given positions, a list per bucket."""
    ledger = PositionLedger(np.arange(len(standing)), len(standing[0]))
    ledger.positions.examples[:] = standing
    return ledger


@pytest.mark.parametrize(
    ("standing", "spans", "outcome"),
    [
        ([[5], [5]], {0: (5, 8)}, UpdateOutcome.APPLIED),
        ([[8], [8]], {0: (5, 8)}, UpdateOutcome.DUPLICATE),
        ([[9], [8]], {0: (5, 8)}, UpdateOutcome.DUPLICATE),
        ([[4], [4]], {0: (5, 8)}, UpdateOutcome.BEHIND),
        ([[4], [8]], {0: (5, 8)}, UpdateOutcome.BEHIND),
        ([[6], [6]], {0: (5, 8)}, UpdateOutcome.SPLIT),
        ([[5], [6]], {0: (5, 8)}, UpdateOutcome.SPLIT),
        ([[5], [8]], {0: (5, 8)}, UpdateOutcome.APPLIED),
        ([[5, 2], [5, 2]], {0: (5, 8), 1: (2, 3)}, UpdateOutcome.APPLIED),
        ([[5, 3], [5, 3]], {0: (5, 8), 1: (2, 3)}, UpdateOutcome.SPLIT),
        ([[5, 2], [8, 3]], {0: (5, 8), 1: (2, 3)}, UpdateOutcome.SPLIT),
        ([[8, 3], [9, 4]], {0: (5, 8), 1: (2, 3)}, UpdateOutcome.DUPLICATE),
        ([[5, 1], [5, 2]], {0: (5, 8), 1: (2, 3)}, UpdateOutcome.BEHIND),
    ],
)
def test_the_outcome_follows_from_the_positions_of_all_buckets(
    standing: list[list[int]], spans: dict[int, tuple[int, int]], outcome: UpdateOutcome
) -> None:
    ledger = ledger_at(*standing)
    assert ledger.outcome_of({partition: span(*ends) for partition, ends in spans.items()}) is outcome


def test_only_the_buckets_that_waited_move() -> None:
    ledger = ledger_at([5], [9])
    spans = {0: span(5, 8, examples=3)}
    ledger.advance(spans, ledger.waiting_for(spans))
    assert ledger.positions.examples.tolist() == [[8], [9]]
    assert ledger.positions.applied.tolist() == [[3], [0]]
    assert ledger.positions.feed.tolist() == [[80], [0]]


def test_the_lowest_position_is_one_bucket_as_a_whole() -> None:
    positions = BucketPositions(
        buckets=np.array([3, 9]),
        examples=np.array([[7, 1], [6, 2]]),
        feed=np.array([[70, 10], [60, 20]]),
        watermarks=np.array([[0.7, 0.1], [0.6, 0.2]]),
        applied=np.array([[7, 1], [6, 2]]),
    )
    assert positions.lowest() == {0: Position(6, 60, 0.6), 1: Position(1, 10, 0.1)}
    assert positions.examples_applied().tolist() == [6, 1]


def test_an_earlier_owner_is_stale_once_a_later_one_was_seen() -> None:
    ledger = ledger_at([0, 0])
    ledger.remember(4, {0: span(0, 1)})
    assert ledger.is_stale(3, {0: span(0, 1), 1: span(0, 1)})
    assert not ledger.is_stale(3, {1: span(0, 1)})
    assert not ledger.is_stale(4, {0: span(0, 1)})


@pytest.mark.parametrize("spans", [{}, {0: span(3, 3)}, {0: span(3, 2)}, {2: span(0, 1)}, {-1: span(0, 1)}])
def test_spans_that_could_not_count_once_are_refused(spans: dict[int, Span]) -> None:
    with pytest.raises(ValueError, match=r"partition|EXAMPLES"):
        ledger_at([3, 3]).outcome_of(spans)
