"""The in-process system behind the interface of the HTTP API: a demo without sockets."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from messages.content import ContentFacts
from messages.identifiers import partition_of
from simulations.feed_api import FeedAnswer, FeedApiError
from simulations.in_process import InProcessSettings, InProcessSystem


class InProcessApi:
    """Learns after every batch of events. refusals: how many of the next posts are refused."""

    def __init__(self, settings: InProcessSettings | None = None, refusals: int = 0) -> None:
        self.system = InProcessSystem(settings or InProcessSettings())
        self.num_posts = 0
        self._refusals = refusals

    async def feed(self, user_id: str, limit: int) -> FeedAnswer:
        feed = self.system.feed(user_id, limit, time.time())
        partition = partition_of(user_id, self.system.streams.num_partitions)
        position = (await self.learned_positions()).get(partition, 0)
        return FeedAnswer(feed.request_id, feed.content_ids, feed.model_version, partition, position)

    async def post(self, events: Sequence[Mapping[str, Any]]) -> dict[int, int]:
        self.num_posts += 1
        uploads = [event for event in events if event["event_type"] == "content_upload"]
        rest = [event for event in events if event["event_type"] != "content_upload"]
        if rest and self._refusals > 0:
            self._refusals -= 1
            raise FeedApiError("503 the stream is full")
        for event in uploads:
            self.system.put_content(ContentFacts.from_upload(event), time.time())
        positions = self.system.post(rest, time.time())
        self.system.advance(time.time())
        return positions

    async def learned_positions(self) -> dict[int, int]:
        return {partition: place.feed for partition, place in self.system.replica.positions.items()}
