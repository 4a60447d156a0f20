"""Which messages of EXAMPLES have been counted: each counts once, wherever reading begins again."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

from messages.examples import ExampleBatch


@dataclass(frozen=True, slots=True)
class NumberedBatch:
    """The rows of one message. partition, position: its place on the stream."""

    batch: ExampleBatch
    partition: int
    position: int


def uncounted(messages: Sequence[NumberedBatch], positions: MutableMapping[int, int]) -> ExampleBatch | None:
    """Move `positions`, the last message counted by partition, past these messages, and return the rows of
    those that lay beyond, None where none did.

    Counting them at once costs little more than counting one: what a message holds is small beside what every
    sum takes to begin with.
    """
    new = []
    for message in messages:
        if message.position > positions.get(message.partition, 0):
            positions[message.partition] = message.position
            new.append(message.batch)
    return ExampleBatch.concatenate(new) if new else None
