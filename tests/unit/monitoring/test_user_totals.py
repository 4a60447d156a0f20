from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from messages.examples import HEAD_INDEX, LabelKind
from monitoring.counted_messages import NumberedBatch
from monitoring.user_totals import UserTotals
from tests.unit.monitoring.event_log import START, LoggedEvent, message_of, random_log

ARMS = ("one/control", "one/new")
STARTED = START + 86_400.0


def sticky(log: list[LoggedEvent]) -> list[LoggedEvent]:
    """The same log with everybody in one arm, as a hash would have it."""
    return [event if event.arm is None else replace(event, arm=ARMS[event.user % 2]) for event in log]


def closing(events: list[LoggedEvent], *kinds: LabelKind) -> int:
    return sum(event.labels[HEAD_INDEX["engage"]] in kinds for event in events)


def counted(log: list[LoggedEvent], size: int) -> UserTotals:
    totals = UserTotals(ARMS, STARTED)
    for start in range(0, len(log), size):
        totals.add(message_of(log[start : start + size]), partition=0, position=1 + start)
    return totals


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 60))
def test_equal_the_plain_reference(seed: int, size: int) -> None:
    log = sticky(random_log(seed, 120, people=80))
    totals = counted(log, size)
    for arm in (0, 1):
        since = [event for event in log if event.arm and event.time >= STARTED and event.user % 2 == arm]
        people = {event.user for event in since}
        before = [event for event in log if event.arm and event.time < STARTED and event.user in people]
        both = (LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE)
        moments = totals.moments(arm, "engagements", "impressions")
        assert moments.count == len(people)
        np.testing.assert_array_equal(
            moments.sums,
            [
                closing(since, both[0]),
                closing(since, *both),
                closing(before, both[0]),
                closing(before, *both),
            ],
        )
        watch = totals.moments(arm, "watch_ms", "people")
        assert watch.sums[0] == sum(round(event.watch * 1000) for event in since)
        assert watch.sums[1] == len(people)
        negatives = totals.moments(arm, "negatives", "positives")
        assert negatives.sums[0] == sum(event.kind in ("hide", "report") for event in since)
        assert negatives.sums[1] == sum(event.kind in ("like", "share", "save", "follow") for event in since)
    assert totals.num_switched == 0


@given(seed=st.integers(0, 2**32 - 1), crash=st.integers(0, 6), back=st.integers(0, 2))
def test_are_the_same_after_a_crash(seed: int, crash: int, back: int) -> None:
    log = sticky(random_log(seed, 120, people=40))
    totals = counted(log[: crash * 20], 20)
    restored = UserTotals.decode(totals.encode())
    for start in range(max(crash - back, 0) * 20, len(log), 20):
        restored.add(message_of(log[start : start + 20]), partition=0, position=1 + start)
    whole = counted(log, 20)
    assert restored.encode() == whole.encode()
    np.testing.assert_array_equal(
        restored.moments(1, "engagements", "impressions").products,
        whole.moments(1, "engagements", "impressions").products,
    )


@given(seed=st.integers(0, 2**32 - 1), at_once=st.integers(1, 6), back=st.integers(0, 2))
def test_are_the_same_however_many_messages_are_counted_at_once(seed: int, at_once: int, back: int) -> None:
    log = sticky(random_log(seed, 120, people=40))
    messages = [
        NumberedBatch(message_of(log[start : start + 20]), partition=0, position=1 + start)
        for start in range(0, len(log), 20)
    ]
    totals = UserTotals(ARMS, STARTED)
    for start in range(0, len(messages), at_once):
        totals.add_all(messages[max(start - back, 0) : start + at_once])
    assert totals.encode() == counted(log, 20).encode()


def test_somebody_who_changes_arms_stays_in_the_first() -> None:
    event = replace(random_log(0, 1)[0], kind="like", time=STARTED + 1, arm=ARMS[0], model="production")
    totals = UserTotals(ARMS, STARTED)
    totals.add(message_of([event, replace(event, arm=ARMS[1])]), partition=0, position=1)
    assert totals.people().tolist() == [1, 0]
    assert totals.num_switched == 1
    assert totals.moments(0, "positives", "people").sums.tolist()[:2] == [1, 1]


def test_a_message_without_a_joined_row_only_moves_the_position() -> None:
    orphan = replace(random_log(0, 1)[0], arm=None)
    totals = UserTotals(ARMS, STARTED)
    assert totals.add(message_of([orphan]), partition=2, position=5)
    assert not totals.add(message_of([orphan]), partition=2, position=5)
    assert totals.positions == {2: 5}
    assert totals.people().tolist() == [0, 0]
