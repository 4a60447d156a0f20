"""EXAMPLES of before and after a field came are read and stacked alike."""

from __future__ import annotations

import dataclasses

import numpy as np

from messages.arrays import stack_known
from messages.examples import ExampleBatch
from messages.features import IdBags
from messages.identifiers import keys_of
from tests.unit.monitoring.event_log import LoggedEvent, message_of, random_log


def known_chances(seed: int) -> list[LoggedEvent]:
    events = [event for event in random_log(seed, 30) if event.arm is not None]
    return [dataclasses.replace(event, chance=0.25) for event in events]


def test_chances_survive_the_wire_and_a_message_without_them_is_read() -> None:
    batch = message_of(known_chances(1))
    assert batch.joined is not None
    without = dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, engage_chances=None))
    for sent in (batch, without):
        read = ExampleBatch.decode(sent.encode())
        assert read.joined is not None
        assert read.encode() == sent.encode()
    assert b"engage_chances" not in without.encode()


def test_rows_without_chances_are_unknown_beside_rows_with() -> None:
    old, new = (
        message_of([dataclasses.replace(event, chance=np.nan) for event in known_chances(1)]),
        (message_of(known_chances(2))),
    )
    assert old.joined is not None
    assert old.joined.engage_chances is None
    both = ExampleBatch.concatenate([old, new]).joined
    assert both is not None
    assert both.engage_chances is not None
    assert np.isnan(both.engage_chances[: len(old)]).all()
    assert (both.engage_chances[len(old) :] == 0.25).all()


def test_nothing_known_stays_nothing() -> None:
    assert stack_known([(2, None), (1, None)]) is None


def test_words_of_comments_survive_the_wire_and_stand_beside_rows_without() -> None:
    silent = message_of(known_chances(1))
    assert silent.joined is not None
    words = IdBags.of([keys_of(["fine", "endgame"]), *[keys_of([])] * (len(silent.joined) - 1)])
    talked = dataclasses.replace(silent, joined=dataclasses.replace(silent.joined, comment_words=words))

    read = ExampleBatch.decode(talked.encode())
    both = ExampleBatch.concatenate([silent, read]).joined

    assert read.encode() == talked.encode()
    assert b"comment_words" not in silent.encode()
    assert both is not None
    assert both.comment_words is not None
    lengths = both.comment_words.lengths()
    assert np.flatnonzero(lengths).tolist() == [len(silent.joined)]
    assert both.comment_words.values.tolist() == keys_of(["fine", "endgame"]).tolist()
