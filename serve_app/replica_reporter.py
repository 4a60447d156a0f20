"""Tells how this replica ranks, and shows what it hears of the models."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from messages.codec import pack
from messages.pulses import REPLICA_PULSE
from serve_app.answer_pulse import AnswerPulse
from serve_app.kpi_metrics import KpiMetrics

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0


class ReplicaReporter:
    """Nothing is lost where nobody hears it: the next pulse counts what came since this one.

    publish: sends a pulse to whoever listens. freshness: takes what is new, seconds.
    said: what the actor of models last said, None before it did.
    refusals: what `publish` may raise when the other side is away.
    """

    def __init__(
        self,
        pulse: AnswerPulse,
        publish: Callable[[bytes], Awaitable[None]],
        kpis: KpiMetrics,
        said: Callable[[], Mapping[str, Any] | None],
        refusals: tuple[type[Exception], ...],
        freshness: Callable[[], list[float]] = list,
    ) -> None:
        self._pulse = pulse
        self._publish = publish
        self._kpis = kpis
        self._said = said
        self._refusals = refusals
        self._freshness = freshness

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.report()

    async def report(self) -> None:
        """Report once."""
        self._kpis.show(self._said())
        pulse: dict[str, Any] = self._pulse.take()
        if freshness := self._freshness():
            pulse[REPLICA_PULSE] = {"freshness_seconds": freshness}
        if not pulse:
            return
        try:
            await self._publish(pack(pulse))
        except self._refusals as error:
            logger.warning("how this replica ranks cannot be told: %s", error)
