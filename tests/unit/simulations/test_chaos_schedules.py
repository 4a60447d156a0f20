"""Faults drawn from a seed, and the stream that they meet."""

from __future__ import annotations

from learners.joiner import JoinerSettings
from messages.identifiers import partition_of
from simulations.chaos_faults import SERVERS, TARGETS, draw_schedule
from simulations.chaos_stream import NUM_PARTITIONS, PROBE_PARTITION, ChaosStream, people

NUM_MESSAGES = 80
MANY = [draw_schedule(0, number, NUM_MESSAGES) for number in range(200)]


def test_a_schedule_follows_from_its_seed_and_number() -> None:
    assert draw_schedule(3, 7, NUM_MESSAGES) == draw_schedule(3, 7, NUM_MESSAGES)
    assert draw_schedule(3, 7, NUM_MESSAGES) != draw_schedule(3, 8, NUM_MESSAGES)


def test_every_schedule_has_three_moments_well_within_the_stream() -> None:
    for moments in MANY:
        assert len({moment.before_message for moment in moments}) == 3
        assert all(0 < moment.before_message < NUM_MESSAGES - 4 for moment in moments)


def test_everything_fails_in_some_schedule_alone_and_in_pairs() -> None:
    moments = [moment for schedule in MANY for moment in schedule]
    alone = {moment.faults[0].target for moment in moments if len(moment.faults) == 1}
    paired = {fault.target for moment in moments if len(moment.faults) == 2 for fault in moment.faults}
    assert alone == paired == set(TARGETS)
    faults = [fault for moment in moments for fault in moment.faults]
    assert {fault.action for fault in faults} == {"kill", "restart", "pause", "long-pause", "cut"}
    assert {fault.target for fault in faults if fault.action == "cut"} == set(SERVERS)
    assert all((fault.seconds > 0) == (fault.action not in ("kill", "restart")) for fault in faults)


def test_clean_accounts_follow_from_the_stream_alone() -> None:
    first, again = (ChaosStream(10, seed=5).clean_accounts(JoinerSettings()) for _ in range(2))
    assert first.examples == again.examples
    assert first.states == again.states
    assert sum(first.feed_messages.values()) == 10
    assert sum(first.num_rows.values()) > 500
    assert first.num_rows[PROBE_PARTITION] == 0
    assert all(first.counters[key].equals(again.counters[key]) for key in first.counters)


def test_who_probes_shares_no_partition_with_who_is_accounted_for() -> None:
    stream = ChaosStream(10, seed=0)
    probing = people((PROBE_PARTITION,), 6, "probe")
    assert {partition_of(user, NUM_PARTITIONS) for user in probing} == {PROBE_PARTITION}
    assert PROBE_PARTITION not in {partition_of(user, NUM_PARTITIONS) for user in stream.users}


def test_what_comes_after_a_stream_is_what_a_longer_one_would_bring() -> None:
    longer = [message.encode() for _, message in ChaosStream(12, seed=5).messages()]
    shorter = ChaosStream(9, seed=5)
    assert len(shorter) == 9
    assert [message.encode() for _, message in shorter.messages_after(3)] == longer[9:]
