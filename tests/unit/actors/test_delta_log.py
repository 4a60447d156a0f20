"""Which deltas a replica gets, wherever it stands."""

from __future__ import annotations

import numpy as np

from actors.delta_log import DeltaLog
from messages.impressions import ModelVersion
from messages.updates import ModelDelta


def delta(counter: int, *, full: bool = False) -> ModelDelta:
    return ModelDelta(
        version=ModelVersion("production", "a", counter),
        previous=0 if full else counter - 1,
        full=full,
        rows={},
        removed={},
        dense={},
        counters=None,
        contents=None,
        removed_contents=np.empty(0, dtype=np.uint64),
        positions={},
        created_at=0.0,
    )


def counters(found: list[ModelDelta] | None) -> list[tuple[int, bool]] | None:
    return None if found is None else [(one.version.counter, one.full) for one in found]


def log_of(last: int, kept: int = 100) -> DeltaLog:
    log = DeltaLog(kept)
    log.append(delta(1, full=True))
    for counter in range(2, last + 1):
        log.append(delta(counter))
    return log


def test_before_the_first_delta_there_is_nothing_to_begin_with() -> None:
    assert DeltaLog(10).after(-1) is None


def test_a_newcomer_gets_the_full_one_and_all_that_followed() -> None:
    assert counters(log_of(3).after(-1)) == [(1, True), (2, False), (3, False)]


def test_a_follower_gets_what_it_lacks_and_nothing_when_it_lacks_nothing() -> None:
    assert counters(log_of(4).after(2)) == [(3, False), (4, False)]
    assert log_of(4).after(4) == []


def test_when_the_first_full_one_is_too_old_a_newcomer_must_wait_for_another() -> None:
    log = log_of(9, kept=3)
    assert log.after(-1) is None
    assert log.after(2) is None
    log.put_full(delta(9, full=True))
    assert counters(log.after(-1)) == [(9, True)]
    assert log.after(9) == [], "who follows already is not made to begin anew"
    log.append(delta(10))
    assert counters(log.after(2)) == [(9, True), (10, False)]
    assert counters(log.after(9)) == [(10, False)]


def test_a_full_delta_in_the_chain_makes_everybody_begin_anew() -> None:
    log = log_of(3)
    log.append(delta(7, full=True))
    assert counters(log.after(3)) == [(7, True)]


def test_a_reader_of_the_actors_former_life_begins_anew() -> None:
    assert counters(log_of(2).after(5_000)) == [(1, True), (2, False)]
