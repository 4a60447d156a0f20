"""What piles up in a pause is worked off; a queue that stands grows no longer than the wait promised."""

from __future__ import annotations

import pytest

from serve_app.http.load_shedding import RequestRoom

MAX_WAIT_SECONDS = 0.4


class Replica:
    """Answers one request after the other, each in so many seconds, by a clock of its own."""

    def __init__(self, seconds_each: float, max_under_way: int = 1_000) -> None:
        self.now = 0.0
        self.seconds_each = seconds_each
        self.room = RequestRoom(MAX_WAIT_SECONDS, max_under_way, lambda: self.now)

    def offer(self, count: int) -> int:
        """Return how many were taken."""
        taken = 0
        for _ in range(count):
            if not self.room.is_full:
                self.room.enter()
                taken += 1
        return taken

    def answer(self, count: int) -> None:
        for _ in range(count):
            self.now += self.seconds_each
            self.room.leave()

    def learn_the_pace(self) -> None:
        for _ in range(200):
            self.offer(1)
            if self.room.under_way > 6:
                self.answer(1)
        self.answer(self.room.under_way)


@pytest.mark.parametrize("seconds_each", [0.004, 0.01, 0.016])
def test_under_twice_the_load_as_many_wait_as_are_answered_in_time(seconds_each) -> None:
    replica = Replica(seconds_each)
    replica.learn_the_pace()

    waits = []
    for _ in range(600):
        replica.offer(2)
        waits.append(replica.room.under_way * seconds_each)
        replica.answer(1)

    assert max(waits) < 1.5 * MAX_WAIT_SECONDS
    assert max(waits[400:]) < MAX_WAIT_SECONDS + 2 * seconds_each
    assert min(waits[400:]) > 0.9 * MAX_WAIT_SECONDS


def test_after_a_pause_a_burst_is_taken_and_what_comes_while_it_is_worked_off() -> None:
    replica = Replica(0.01)
    replica.learn_the_pace()

    replica.now += 1.0  # nothing is answered, and all this time requests come
    assert replica.offer(75) == 75
    while replica.room.under_way > 1:  # two answers for each that comes
        replica.answer(2)
        assert replica.offer(1) == 1


def test_a_pause_says_little_of_the_pace() -> None:
    replica = Replica(0.01)
    replica.learn_the_pace()
    replica.offer(20)
    replica.answer(1)

    replica.now += 60.0
    replica.answer(1)

    assert replica.room.seconds_each < 0.015


def test_a_replica_that_gets_slower_takes_fewer() -> None:
    replica = Replica(0.01)
    replica.learn_the_pace()
    replica.seconds_each = 0.02

    for _ in range(300):
        replica.offer(2)
        replica.answer(1)

    assert replica.room.under_way * 0.02 < MAX_WAIT_SECONDS + 0.04


def test_no_more_are_taken_than_the_bound_however_fast_and_a_few_however_slow() -> None:
    assert Replica(0.001, max_under_way=3).offer(9) == 3

    slow = Replica(2.0)
    for _ in range(300):
        slow.offer(9)
        slow.answer(1)
    assert slow.offer(9) == 1
    assert slow.room.under_way == 16
