"""Simulated people scroll: each of them online, over the API, and as copies under feeds to compare with.

A visit is one slate: the person asks, watches, and tells what they did. All copies of a person visit at the
same moment, see the same catalogue and have the same luck with the same content: what differs is the feed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.content import ContentFacts
from messages.identifiers import DEFAULT_NUM_PARTITIONS
from simulations.behaviour import Viewer
from simulations.demo_arms import FrozenArm, PolicyArm
from simulations.demo_measurements import EngagementSeries
from simulations.demo_record import ONLINE, ONLINE_BESIDE_FROZEN, DemoRecord
from simulations.demo_results import DemoPhase, DemoProgress, DemoSummary
from simulations.feed_api import FeedApi, FeedApiError, upload_event
from simulations.freshness_probe import FreshnessProbe
from simulations.in_process import InProcessSettings
from simulations.policies import PopularFeed, RandomFeed
from simulations.world import World, WorldSettings

Upload = Callable[[Sequence[ContentFacts]], Awaitable[None]]

_UPLOAD_BATCH = 200
_WAIT_SECONDS = 0.1
_POST_ATTEMPTS = 3


class DemoSettings(BaseModel):
    """duration_seconds: None runs until stopped. frozen_share: of the people who have a frozen copy too (the
    dearest one to run). max_failures: refused requests after which the demo gives up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    world: WorldSettings = WorldSettings()
    duration_seconds: float | None = Field(default=60.0, gt=0)
    ramp_seconds: float = Field(default=8.0, ge=0)
    visits_per_second: float = Field(default=45.0, gt=0)
    slate: int = Field(default=10, ge=1, le=100)
    slates_per_session: int = Field(default=5, ge=1)
    concurrency: int = Field(default=8, ge=1)
    frozen_share: float = Field(default=0.25, ge=0, le=1)
    progress_seconds: float = Field(default=0.5, gt=0)
    drain_seconds: float = Field(default=10.0, ge=0)
    start_timeout_seconds: float = Field(default=60.0, gt=0)
    max_failures: int = Field(default=100, ge=0)
    num_partitions: int = Field(default=DEFAULT_NUM_PARTITIONS, ge=1)
    frozen: InProcessSettings = InProcessSettings()


class DemoFailedError(Exception):
    """The system did not serve, or refused too much; the text says what it answered last."""


class Demo:
    """One run."""

    def __init__(
        self,
        settings: DemoSettings,
        api: FeedApi,
        *,
        upload: Upload | None = None,
        on_progress: Callable[[DemoProgress], None] = lambda _: None,
    ) -> None:
        """upload: brings the whole catalogue in, instead of events over the API."""
        self.settings = settings
        self._api = api
        self._upload = upload or self._upload_by_events
        self._on_progress = on_progress
        self._start_time = time.time()
        self._world = world = World(settings.world)
        self._viewers = [Viewer(world, person) for person in range(len(world.people))]
        self._arms = {
            "random": PolicyArm(world, RandomFeed(world, seed=1)),
            "popular": PolicyArm(world, PopularFeed(world, seed=2)),
        }
        self._frozen_people = round(settings.frozen_share * len(world.people))
        self._frozen = FrozenArm(world, settings.frozen, self._start_time) if self._frozen_people else None
        self._generator = np.random.default_rng(settings.world.seed)
        self._probe = FreshnessProbe(api, num_partitions=settings.num_partitions)
        self._record = DemoRecord(self._probe, len(world.people))
        self._busy: set[int] = set()
        self._stopped = asyncio.Event()
        self._began = time.perf_counter()

    @property
    def engagement(self) -> dict[str, EngagementSeries]:
        """The curve of each arm, for the plot."""
        tracker = self._record.engagement
        return {arm: tracker.series(arm) for arm in tracker.arms}

    @property
    def num_failures(self) -> int:
        """How many requests were refused or not answered."""
        return self._record.all_failures

    def stop(self) -> None:
        """End the run after the visits under way."""
        self._stopped.set()

    async def run(self) -> DemoSummary:
        """Upload, let people scroll, wait until what they did is learned. Raises DemoFailedError."""
        try:
            await self._bring_in_catalogue()
            self._began = time.perf_counter()
            watchers = [asyncio.create_task(self._probe.run()), asyncio.create_task(self._report())]
            try:
                await self._scroll()
            finally:
                for watcher in watchers:
                    watcher.cancel()
                outcomes = await asyncio.gather(*watchers, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
            seconds = self._elapsed()
            await self._drain()
        except FeedApiError as error:
            raise DemoFailedError(str(error)) from error
        return self._record.summary(seconds)

    async def _bring_in_catalogue(self) -> None:
        contents = self._world.catalogue(self._start_time)
        await self._upload(contents)
        self._record.num_contents = len(contents)
        self._tell("uploading")
        patience = self.settings.start_timeout_seconds
        while not (await self._api.feed("onlooker", 1)).content_ids:
            if self._elapsed() > patience:
                raise DemoFailedError(f"no content is served within {patience} s")
            await asyncio.sleep(_WAIT_SECONDS)

    async def _upload_by_events(self, contents: Sequence[ContentFacts]) -> None:
        for start in range(0, len(contents), _UPLOAD_BATCH):
            await self._api.post([upload_event(facts) for facts in contents[start : start + _UPLOAD_BATCH]])
            self._record.num_contents = min(start + _UPLOAD_BATCH, len(contents))
            self._tell("uploading")

    async def _scroll(self) -> None:
        """Start visits at the pace that the ramp allows; at most `concurrency` run at once."""
        settings = self.settings
        slots = asyncio.Semaphore(settings.concurrency)
        due = 0.0
        try:
            async with asyncio.TaskGroup() as visits:
                while not self._is_over():
                    await slots.acquire()
                    ramp = min(1.0, 0.2 + 0.8 * self._elapsed() / max(settings.ramp_seconds, 1e-9))
                    due = max(due + 1.0 / (settings.visits_per_second * ramp), self._elapsed() - 0.5)
                    await asyncio.sleep(max(due - self._elapsed(), 0.0))
                    person = self._choose_person()
                    self._busy.add(person)
                    visits.create_task(self._visit(person, slots))
        except* DemoFailedError as failures:
            raise failures.exceptions[0] from None

    def _is_over(self) -> bool:
        duration = self.settings.duration_seconds
        return self._stopped.is_set() or (duration is not None and self._elapsed() >= duration)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    def _choose_person(self) -> int:
        """Draw who comes next by activity, among those who are not here already."""
        chances = self._world.people.activity.copy()
        chances[list(self._busy)] = 0.0
        return int(np.searchsorted(np.cumsum(chances), self._generator.random() * chances.sum()))

    async def _visit(self, person: int, slots: asyncio.Semaphore) -> None:
        try:
            await self._visit_everywhere(person)
        except FeedApiError as error:
            self._record.num_failures += 1
            if self._record.all_failures > self.settings.max_failures:
                raise DemoFailedError(f"{self._record.all_failures} refusals, the last: {error}") from error
            await asyncio.sleep(_WAIT_SECONDS)
        finally:
            self._busy.discard(person)
            slots.release()

    async def _visit_everywhere(self, person: int) -> None:
        settings, record = self.settings, self._record
        new_session = record.visits_of[person] % settings.slates_per_session == 0
        record.visits_of[person] += 1
        viewer = self._viewers[person]
        if new_session:
            viewer.start_session()
        answer = await self._api.feed(viewer.user_id, settings.slate)
        record.model_version = answer.model_version
        contents = np.array(
            [self._world.contents.index_of(name) for name in answer.content_ids], dtype=np.int64
        )
        slate = viewer.watch(contents, time.time(), answer.request_id)
        moment = self._elapsed()
        record.engagement.add(ONLINE, moment, int(slate.viewed.sum()), len(slate.viewed))
        for name, arm in self._arms.items():
            copy = arm.visit(person, settings.slate, time.time(), new_session=new_session)
            record.engagement.add(name, moment, int(copy.viewed.sum()), len(copy.viewed))
        if self._frozen is not None and person < self._frozen_people:
            copy = self._frozen.visit(person, settings.slate, time.time(), new_session=new_session)
            record.engagement.add("frozen", moment, int(copy.viewed.sum()), len(copy.viewed))
            record.engagement.add(ONLINE_BESIDE_FROZEN, moment, int(slate.viewed.sum()), len(slate.viewed))
        if slate.events:
            positions = await self._post(slate.events)
            self._probe.accepted(positions)
            for partition, position in positions.items():  # one person's events go to one partition
                record.ledger.accepted(partition, position, len(slate.events))

    async def _post(self, events: Sequence[Mapping[str, Any]]) -> dict[int, int]:
        """Send events again where they were refused: they are taken once however often they come."""
        for attempt in range(1, _POST_ATTEMPTS + 1):
            try:
                return await self._api.post(events)
            except FeedApiError:
                self._record.num_failures += 1
                if attempt == _POST_ATTEMPTS:
                    raise
                await asyncio.sleep(_WAIT_SECONDS * attempt)
        raise AssertionError("unreachable")

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self.settings.progress_seconds)
            self._tell("running")

    def _tell(self, phase: DemoPhase) -> None:
        self._on_progress(self._record.progress(phase, self._elapsed(), self.settings.duration_seconds))

    async def _drain(self) -> None:
        """Wait until everything that was accepted is in the model that serves, or for `drain_seconds`."""
        deadline = self._elapsed() + self.settings.drain_seconds
        while True:
            self._record.ledger.learned(await self._api.learned_positions())
            self._tell("draining")
            if self._record.ledger.num_waiting == 0 or self._elapsed() > deadline:
                return
            await asyncio.sleep(_WAIT_SECONDS)
