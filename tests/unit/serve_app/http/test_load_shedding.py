"""What piles up in a pause is worked off; a queue that stands is not let grow."""

from __future__ import annotations

from serve_app.http.load_shedding import RequestRoom


def offer(room: RequestRoom, count: int) -> int:
    """Offer requests; return how many were taken."""
    taken = 0
    for _ in range(count):
        if not room.is_full:
            room.enter()
            taken += 1
    return taken


def answer(room: RequestRoom, count: int) -> None:
    for _ in range(count):
        room.leave()


def test_after_a_pause_a_burst_is_taken_and_all_that_come_while_it_is_worked_off() -> None:
    room = RequestRoom(max_under_way=32, max_burst=96)

    assert offer(room, 64) == 64
    for _ in range(64):  # two answers for each that comes
        answer(room, 2)
        assert offer(room, 1) == 1
    assert room.under_way == 0


def test_no_burst_is_larger_than_its_bound() -> None:
    room = RequestRoom(max_under_way=32, max_burst=96)

    assert offer(room, 1_000) == 96


def test_under_twice_the_load_the_queue_soon_stands_at_its_bound() -> None:
    room = RequestRoom(max_under_way=32, max_burst=96)

    lengths = []
    for _ in range(200):
        offer(room, 2)
        lengths.append(room.under_way)
        answer(room, 1)

    assert max(lengths) < 56
    assert set(lengths[96:]) == {32}


def test_a_queue_that_was_worked_off_leaves_room_for_the_next_burst() -> None:
    room = RequestRoom(max_under_way=32, max_burst=96)
    for _ in range(200):
        offer(room, 2)
        answer(room, 1)

    answer(room, room.under_way - 9)
    assert offer(room, 96) == 23
    answer(room, 32 - 8)
    assert offer(room, 96) == 88


def test_a_burst_below_the_standing_bound_means_that_bound() -> None:
    assert offer(RequestRoom(max_under_way=3, max_burst=1), 9) == 3
