"""What the broker delivers into a connection that is cut is read all the same, in order and once."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from nats.errors import Error as NatsError

from actors.connections import Connections, EndpointSettings
from actors.stream_reader import StreamReader
from actors.streams import StreamSettings, ensure_streams
from simulations.cut_proxy import CutProxy

DEADLINE_SECONDS = 30.0


async def read_until(reader: StreamReader, read: list[bytes], count: int) -> None:
    """Read on until so much was read, through whatever the broker answers meanwhile."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(read) < count:
        assert time.monotonic() < deadline, f"read {read}"
        try:
            read += [message.data for message in await reader.fetch(10, timeout=0.2)]
        except NatsError:  # the broker is away: asked again, as every reader does
            await asyncio.sleep(0.1)


async def until_somebody_waits(connections: Connections) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        consumers = await connections.js.consumers_info(connections.namespace.feed_stream)
        if any(consumer.num_waiting for consumer in consumers):
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def deliver_into_a_cut(proxy: CutProxy, endpoints: EndpointSettings, *, more: bool) -> None:
    """Publish while a fetch is open and its connection cut; more: also after it is mended."""
    near = endpoints.model_copy(update={"nats_url": f"nats://127.0.0.1:{proxy.port}"})
    async with (
        await Connections.open(endpoints, "publisher") as publishing,
        await Connections.open(near, "reader") as reading,
    ):
        namespace = publishing.namespace
        await ensure_streams(publishing.js, namespace, StreamSettings(max_bytes=2**20, max_dead_bytes=2**20))
        reader = StreamReader(reading.nats, namespace.feed_stream, [namespace.feed_subject("*")], 1)
        read: list[bytes] = []
        await publishing.js.publish(namespace.feed_subject(0), b"first")
        await read_until(reader, read, 1)
        fetching = asyncio.create_task(reader.fetch(10, timeout=2.0))
        await until_somebody_waits(publishing)
        await asyncio.to_thread(proxy.cut)
        await publishing.js.publish(namespace.feed_subject(1), b"into the cut")
        assert await fetching == []
        await asyncio.to_thread(proxy.mend)
        expected = [b"first", b"into the cut"]
        if more:
            await publishing.js.publish(namespace.feed_subject(0), b"afterwards")
            expected.append(b"afterwards")
        await read_until(reader, read, len(expected))
        await reader.close()
        assert read == expected


def test_a_delivery_that_was_lost_is_read_before_what_follows(endpoints: EndpointSettings) -> None:
    with CutProxy(urlsplit(endpoints.nats_url).port or 0) as proxy:
        asyncio.run(deliver_into_a_cut(proxy, endpoints, more=True))


def test_a_delivery_that_was_lost_is_read_though_nothing_follows(endpoints: EndpointSettings) -> None:
    with CutProxy(urlsplit(endpoints.nats_url).port or 0) as proxy:
        asyncio.run(deliver_into_a_cut(proxy, endpoints, more=False))
