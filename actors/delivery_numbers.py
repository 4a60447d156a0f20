"""What the broker says of a delivery in the subject of its acknowledgement (NATS ADR-15)."""

from __future__ import annotations

import math

from nats.aio.msg import Msg

_PREFIX = ["$JS", "ACK"]
_NUM_TOKENS = 9
"""Prefix, stream, consumer, times delivered, stream sequence, consumer sequence, nanoseconds, waiting."""


def stored_at(message: Msg) -> tuple[int, int, float]:
    """Return a message's sequence in the stream, the number of its delivery and when it was appended.

    Epoch seconds to the microsecond, the same number as the client's `metadata` gives, which takes four times
    as long: joiners count with it, so it must never change.
    """
    tokens = message.reply.split(".")
    if len(tokens) != _NUM_TOKENS or tokens[:2] != _PREFIX:  # another form, or no delivery: the client knows
        metadata = message.metadata
        return metadata.sequence.stream, metadata.sequence.consumer, metadata.timestamp.timestamp()
    fraction, seconds = math.modf(int(tokens[7]) / 1e9)
    append_time = (int(seconds) * 1_000_000 + round(fraction * 1e6)) / 1_000_000
    return int(tokens[5]), int(tokens[6]), append_time
