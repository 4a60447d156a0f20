"""Models on a running system while simulated people scroll: a better one, a worse one, one that goes bad.

The simulator knows which is which: production begins with rows so large that its order is chance, and hardly
learns; the better candidate begins and learns as it should, and learns the whole stream; the worse one is
what production was at first; and in the end production's rates are multiplied so that it falls apart. All
decisions are the rules' own; only the worse one is put before people by hand, since as a shadow its
predictions would have stopped it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from simulations.demo import Demo

BY = "the experiment"
_LOOK_SECONDS = 0.25
_MULTIPLE = 100.0
_ASK_SECONDS = 0.05
_SURE_SECONDS = 5.0
"""For so long no answer must have come from a model that has lost its place."""


class JourneyError(Exception):
    """Something did not come about in time, or the API refused; the text says what."""


@dataclass(slots=True)
class JourneyReport:
    """Seconds from each command to what followed of it. words: the rules' reasons, by step."""

    seconds: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {f"seconds_{step}": round(seconds, 1) for step, seconds in self.seconds.items()} | {
            f"why_{step}": words for step, words in self.words.items()
        }


class PromotionJourney:
    """One journey over the HTTP API."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        learning: dict[str, Any],
        guessing: dict[str, Any],
        *,
        patience_seconds: float,
        in_force_seconds: float | None = None,
        warm_up_seconds: float = 15.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """learning, guessing: `model` sections of training settings, as they should be, and of a model whose
        order is chance. patience_seconds: for each step. in_force_seconds: after the last change until every
        replica has heard of the rollback; twice the patience, if not given."""
        self._http = http
        self._learning = learning
        self._guessing = guessing
        self._patience = patience_seconds
        self._in_force_seconds = 2 * patience_seconds if in_force_seconds is None else in_force_seconds
        self._warm_up_seconds = warm_up_seconds
        self._say = say
        self.report = JourneyReport()

    async def run(self, demo: Demo) -> JourneyReport:
        """Let people scroll throughout, and take the steps. Raises JourneyError, DemoFailedError."""
        scrolling = asyncio.create_task(demo.run())
        steps = asyncio.create_task(self._steps())
        try:
            await asyncio.wait((scrolling, steps), return_when=asyncio.FIRST_COMPLETED)
            if not steps.done():
                steps.cancel()
                await scrolling  # raises why people ceased to scroll
                raise JourneyError("people ceased to scroll")
            demo.stop()
            await scrolling
            return steps.result()
        finally:
            demo.stop()
            await asyncio.gather(scrolling, steps, return_exceptions=True)

    async def _steps(self) -> JourneyReport:
        await asyncio.sleep(self._warm_up_seconds)
        await self._create("better", self._learning)
        await self._until("better_to_canary", "better", "canary")
        await self._until("better_to_production", "better", "production")
        await self._create("worse", self._guessing)
        await self._post("/v1/models/worse/canary", {"by": BY, "why": "to see it stopped"})
        await self._until("worse_stopped", "worse", "stopped")
        await asyncio.sleep(self._warm_up_seconds)  # guardrails compare with how it was before
        bad = {"learning_rate": self._learning["learning_rate"] * _MULTIPLE} | {
            "slot_learning_rates": {
                slot: rate * _MULTIPLE for slot, rate in self._learning["slot_learning_rates"].items()
            },
            "dense_learning_rate": self._learning["dense_learning_rate"] * _MULTIPLE,
        }
        asking = asyncio.create_task(self._last_answer_of("better", "a"))
        try:
            await self._ask("PATCH", "/v1/models/better", {"settings": {"model": bad}, "by": BY})
            decided = await self._until("bad_production_back", "better", "stopped", or_lineage="b")
            self.report.seconds["rollback_in_force"] = max(0.0, await asking - decided)
        finally:
            asking.cancel()
        return self.report

    async def _create(self, model_id: str, model: dict[str, Any]) -> None:
        """Create a model that begins with first values: rows of other sizes cannot be taken over."""
        body = {"settings": {"model": model}, "copy_weights": False, "by": BY}
        await self._ask("PUT", f"/v1/models/{model_id}", body)

    async def _until(self, step: str, model_id: str, stage: str, or_lineage: str | None = None) -> float:
        """Wait until the rules have brought a model to a stage, and take down how long and why; return when
        they decided it, epoch seconds."""
        self._say(step.replace("_", " "))
        started = time.monotonic()

        async def arrived() -> bool:
            model = await self._ask("GET", f"/v1/models/{model_id}")
            return model["stage"] == stage or (or_lineage is not None and model["lineage"] == or_lineage)

        await self._wait(arrived, step, model_id)
        self.report.seconds[step] = time.monotonic() - started
        changes = (await self._ask("GET", "/v1/model-changes"))["changes"]
        by_rules = [
            change for change in changes if change["model_id"] == model_id and change["by"] == "rules"
        ]
        if not by_rules:
            raise JourneyError(f"{step}: {model_id} is in {stage}, but not by the rules")
        self.report.words[step] = "; ".join(by_rules[-1]["why"])
        return float(by_rules[-1]["time"])

    async def _last_answer_of(self, model_id: str, lineage: str) -> float:
        """Ask for feeds until none has come from a lineage for a while; return when the last did, epoch
        seconds. Requests go to all replicas in turn."""
        asked, last = 0, time.time()
        deadline = last + self._in_force_seconds
        while (now := time.time()) - last < _SURE_SECONDS:
            if now > deadline:
                raise JourneyError(f"{model_id} still answers after {self._in_force_seconds:.0f} s")
            asked += 1
            model = (await self._ask("GET", f"/v1/feed/onlooker-{asked}?limit=1"))["model"]
            if (model["id"], str(model["version"]).split(".")[0]) == (model_id, lineage):
                last = time.time()
            await asyncio.sleep(_ASK_SECONDS)
        return last

    async def _wait(self, arrived: Callable[[], Awaitable[bool]], step: str, model_id: str) -> None:
        deadline = time.monotonic() + self._patience
        while not await arrived():
            if time.monotonic() > deadline:
                model = await self._ask("GET", f"/v1/models/{model_id}")
                raise JourneyError(
                    f"{step} did not come about in {self._patience:.0f} s: {model_id} is in "
                    f"{model['stage']}, and the rules say: {model['verdict']}"
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise JourneyError(f"{method} {path}: {type(error).__name__} {error}") from error
        if response.is_error:
            raise JourneyError(f"{method} {path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer
