"""Rows that came without their features are taught with counters that know what was before them.

Whoever serves logs the features with the impression, counters among them, and nothing is awaited. Where the
learner must read counters itself (an impression from elsewhere), another actor writes them: it may be behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from actors.parameter_client import ParameterClient
from messages.updates import COUNTERS_GROUP, PullRequest, Span

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.005


class AwaitedCounters:
    """Where the counters of all shards stand, beside the mini-batch that is to be learned."""

    def __init__(
        self,
        client: ParameterClient,
        *,
        are_own: bool = False,
        patience_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """are_own: whoever learns writes them too, before it learns the rows; there is nothing to wait for.
        patience_seconds: after so long without a writer that follows, rows are learned all the same."""
        self._client = client
        self._are_own = are_own
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._behind_since: float | None = None
        self._gave_up = False
        self._stand: Mapping[int, int] = {}
        """Up to where the counters were known to be when they were looked at last, by partition."""

    def must_wait(self, spans: Mapping[int, Span], request: PullRequest | None) -> bool:
        """Say whether a pull reads counters that are not known to be there: it must not be made before."""
        reads_counters = request is not None and request.counter_ids is not None
        return reads_counters and not self._are_own and not self._covers(spans)

    async def know(self, spans: Mapping[int, Span], request: PullRequest | None) -> bool:
        """Say whether a mini-batch may be learned; False after a moment, to be asked again."""
        if not self.must_wait(spans, request):
            return True
        lowest = [part.lowest() for part in await self._client.positions(COUNTERS_GROUP)]
        self._stand = {partition: min(at[partition].examples for at in lowest) for partition in lowest[0]}
        if self._covers(spans):
            self._behind_since, self._gave_up = None, False
            return True
        now = self._clock()
        if self._behind_since is None:
            self._behind_since = now
        if self._gave_up or now - self._behind_since >= self._patience_seconds:
            if not self._gave_up:
                logger.warning("the counters do not follow: learning with those that are there")
            self._gave_up = True
            return True
        await asyncio.sleep(_LOOK_SECONDS)
        return False

    def _covers(self, spans: Mapping[int, Span]) -> bool:
        return all(self._stand.get(partition, -1) >= span.start for partition, span in spans.items())
