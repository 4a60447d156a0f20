"""The collector of an actor's process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from actors.collector_pacing import pace_collector


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    yield
    gc.set_threshold(*thresholds)
    if not frozen:
        gc.unfreeze()


def test_what_is_there_by_now_is_not_looked_through_again() -> None:
    before = len(gc.get_objects())
    pace_collector()
    assert gc.get_freeze_count() > 0
    assert len(gc.get_objects()) < before / 2


def test_what_came_after_the_first_call_stays_collectable() -> None:
    pace_collector()
    frozen = gc.get_freeze_count()
    kept = [[] for _ in range(1_000)]
    pace_collector()
    assert gc.get_freeze_count() == frozen
    assert kept
