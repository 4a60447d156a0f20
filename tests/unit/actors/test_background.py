"""What works in the background begins again after an error, unless an operator is needed."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable

import pytest

from actors.background import BackgroundTask

DEADLINE_SECONDS = 5.0


class NeedsOperatorError(Exception):
    """Stays down."""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_run_that_fails_is_begun_again_and_says_what_it_failed_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.background._PROVEN_SECONDS", 3_600.0)
    runs = []

    async def main(stop: asyncio.Event) -> None:
        runs.append(len(runs))
        if len(runs) == 1:
            raise ConnectionError("the store is away")
        await stop.wait()

    task = BackgroundTask("worker", main, stays_down=(NeedsOperatorError,))
    task.start()
    wait_for(lambda: len(runs) == 2)
    assert task.is_running
    assert task.num_restarts == 1
    assert task.failure == "ConnectionError: the store is away", "a run just begun has proved nothing"
    task.stop()
    assert len(runs) == 2


def test_what_needs_an_operator_stays_down_and_says_why() -> None:
    runs = []

    async def main(stop: asyncio.Event) -> None:
        runs.append(len(runs))
        raise NeedsOperatorError("the stream was made anew")

    task = BackgroundTask("worker", main, stays_down=(NeedsOperatorError,))
    task.start()
    wait_for(lambda: not task.is_running)
    assert task.failure == "NeedsOperatorError: the stream was made anew"
    assert runs == [0]
    task.stop()


def test_stopping_does_not_wait_for_the_pause_between_two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.background._FIRST_PAUSE_SECONDS", 3_600.0)

    async def main(stop: asyncio.Event) -> None:
        raise ConnectionError("away")

    task = BackgroundTask("worker", main)
    task.start()
    wait_for(lambda: task.failure is not None)
    task.stop()
    assert not task.is_running


def test_what_ends_by_itself_has_not_failed() -> None:
    async def main(stop: asyncio.Event) -> None:
        return

    task = BackgroundTask("worker", main)
    task.start()
    wait_for(lambda: not task.is_running)
    assert task.failure is None


def test_a_run_that_waits_for_a_dead_broker_is_cancelled_when_asked_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.background._GRACE_SECONDS", 0.01)

    async def main(stop: asyncio.Event) -> None:
        await asyncio.Event().wait()

    task = BackgroundTask("worker", main)
    task.start()
    task.stop()
    assert not task.is_running
    assert task.failure is None


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux alone")
def test_a_task_that_gives_way_lets_others_have_the_cores_first_and_its_starter_keeps_its_place() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    niceness = []

    async def work(stop: asyncio.Event) -> None:
        niceness.append(os.getpriority(os.PRIO_PROCESS, 0))

    for gives_way in (False, True):
        task = BackgroundTask("work", work, gives_way=gives_way)
        task.start()
        task.stop()

    assert niceness == [before, max(before, 5)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
