"""The accounts of a log so far are those of the whole log once it is over."""

from __future__ import annotations

import hashlib

import numpy as np

from learners.joiner import JoinerSettings
from simulations.chaos_stream import NUM_PARTITIONS, PROBE_PARTITION, ChaosStream
from simulations.prefix_accounts import CleanPrefix

ACCOUNTED = [partition for partition in range(NUM_PARTITIONS) if partition != PROBE_PARTITION]


def test_a_prefix_that_has_come_to_the_end_says_what_the_whole_stream_says() -> None:
    stream = ChaosStream(20, seed=3)
    whole = stream.clean_accounts(JoinerSettings())
    prefix = CleanPrefix(JoinerSettings(num_partitions=NUM_PARTITIONS), ACCOUNTED)
    for partition, message in stream.messages():
        prefix.take(partition, message)
        counted = prefix.counters()  # asked for in between, it changes nothing
    for partition in ACCOUNTED:
        digests = [hashlib.sha1(data, usedforsecurity=False).digest() for data in whole.examples[partition]]
        assert prefix.examples[partition] == digests
        assert prefix.num_rows[partition] == whole.num_rows[partition]
        assert prefix.num_feed[partition] == whole.feed_messages[partition]
    assert sorted(counted.ids.tolist()) == sorted(whole.counters)
    for place, key in enumerate(counted.ids.tolist()):
        assert np.array_equal(counted.totals[place], whole.counters[key].totals)
    assert all(prefix.states[user] == whole.states[user] for user in prefix.states)
