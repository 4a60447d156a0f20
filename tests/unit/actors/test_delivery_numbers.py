"""Where a message stands and when it was stored: as the client reads it, only quicker."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.msg import Msg
from nats.errors import NotJSMessageError

from actors.delivery_numbers import stored_at

NANOSECONDS = st.integers(0, 4_000_000_000 * 10**9)
NOBODY: Any = None


def by_the_client(message: Msg) -> tuple[int, int, float]:
    metadata = message.metadata
    return metadata.sequence.stream, metadata.sequence.consumer, metadata.timestamp.timestamp()


@given(
    time=NANOSECONDS | st.builds(lambda micros, rest: micros * 1_000 + rest, NANOSECONDS, st.just(500)),
    stream=st.integers(1, 2**63),
    consumer=st.integers(1, 2**63),
    head=st.sampled_from(["$JS.ACK", "$JS.ACK._.account", "$JS.ACK.hub.account"]),
)
def test_a_delivery_is_read_as_the_client_reads_it(time: int, stream: int, consumer: int, head: str) -> None:
    time %= 4_000_000_000 * 10**9
    message = Msg(NOBODY, reply=f"{head}.feed.reader.1.{stream}.{consumer}.{time}.7")
    assert stored_at(message) == by_the_client(message)


@pytest.mark.parametrize("reply", ["", "inbox.1", "a.b.c.d.e.f.g.h.i"])
def test_what_is_no_delivery_is_refused(reply: str) -> None:
    with pytest.raises(NotJSMessageError):
        stored_at(Msg(NOBODY, reply=reply))
