from monitoring.counted_messages import NumberedBatch, uncounted
from tests.unit.monitoring.event_log import message_of, random_log

EVENTS = random_log(0, 6)


def numbered(place: int, partition: int, position: int) -> NumberedBatch:
    return NumberedBatch(message_of([EVENTS[place]]), partition, position)


def test_messages_come_once_and_positions_move_past_them() -> None:
    positions = {1: 4}
    rows = uncounted([numbered(0, 0, 3), numbered(1, 1, 4), numbered(2, 0, 5), numbered(3, 0, 3)], positions)
    assert rows is not None
    assert rows.times.tolist() == [EVENTS[0].time, EVENTS[2].time]
    assert positions == {0: 5, 1: 4}


def test_of_messages_that_were_all_counted_there_are_no_rows() -> None:
    positions = {0: 9}
    assert uncounted([numbered(0, 0, 9)], positions) is None
    assert uncounted([], positions) is None
    assert positions == {0: 9}
