"""A model on its way to replicas: collects changed rows each tick and hands replicas one versioned delta.

User rows go to the store, under the model's name and lineage; content rows, counters, dense weights and the
facts of new contents go to the replicas. Values are absolute, so a delta that comes twice does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actors.awaited_news import AwaitedNews, Place, until_set
from actors.background import BackgroundTask
from actors.catalogue import Catalogue, CatalogueChanges
from actors.connections import Connections, EndpointSettings
from actors.delta_assembly import has_news, is_worth_sending, merge_shard_deltas, seconds_to_heartbeat
from actors.delta_log import DeltaLog
from actors.model_groups import model_of_group
from actors.shard_map_store import ShardMapStore, ShardMapUnavailableError
from actors.shard_readers import DeltaSource, ShardReaders
from actors.user_store import UserStore
from actors.version_counter import VersionCounter
from messages.content import ContentColumns
from messages.identifiers import keys_of
from messages.impressions import ModelVersion
from messages.updates import COUNTERS_GROUP, ModelDelta, Rows, ShardDelta
from parameter_server.shard_map import ShardMap

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


class ModelActorSettings(BaseModel):
    """user_slots: slots whose rows belong to people; they are kept in the store, not in replicas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str = "production"
    lineage: str = "a"
    sync_every_seconds: float = Field(default=0.1, gt=0)
    deltas_kept: int = Field(default=600, ge=1)
    user_slots: tuple[str, ...] = ("user",)

    @property
    def model_id(self) -> str:
        """The model that the group is a lineage of."""
        return model_of_group(self.group)[0]

    @property
    def row_group(self) -> str:
        """The name under which user rows are kept: a rollback's new lineage does not see the old ones."""
        return f"{self.model_id}.{self.lineage}"


class ModelActor:
    """Starts to sync when constructed. `changes_after` blocks its caller: give the actor threads for it."""

    def __init__(
        self,
        endpoints: EndpointSettings,
        shards: Sequence[DeltaSource] | Callable[[int], DeltaSource],
        settings: ModelActorSettings,
    ) -> None:
        """shards: see `ShardReaders`; what finds a shard by its number follows the map in the store."""
        self._endpoints = endpoints
        self._shards = ShardReaders(shards, (settings.group, COUNTERS_GROUP))
        self._settings = settings
        self._changed = threading.Condition()
        self._log = DeltaLog(settings.deltas_kept)
        self._full_wanted = threading.Event()
        self._news: AwaitedNews | None = None
        self._catalogue_cursor: str | None = None
        self._last_tick_seconds = 0.0
        self._task = BackgroundTask(f"model-{settings.group}", self._run)
        self._task.start()

    def changes_after(self, counter: int, timeout_s: float) -> list[ModelDelta]:
        """Return the deltas that bring a reader at `counter` to now, waiting up to `timeout_s` for the next.

        A reader that stands where no kept delta begins (a new one, one that slept, or one that knew the
        actor's former life) gets one full delta.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                found = self._log.after(counter)
                if found:
                    return found
                if found is None:
                    self._want_full()
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return []
                self._changed.wait(remaining)

    def status(self) -> dict[str, Any]:
        last = self._log.last
        return {
            "running": self._task.is_running,
            "failure": self._task.failure,
            "model": self._settings.group,
            "version": None if last is None else str(last.version),
            "last_tick_ms": round(self._last_tick_seconds * 1e3, 2),
        }

    def stop(self) -> None:
        self._task.stop()

    async def _run(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, f"model-{self._settings.group}") as connections:
            versions = VersionCounter(connections, self._settings.row_group)
            store = UserStore(connections.redis, connections.namespace)
            catalogue = Catalogue(connections.redis, connections.namespace)
            maps = ShardMapStore(connections.redis, connections.namespace)
            with contextlib.closing(AwaitedNews()) as self._news:
                while not stop.is_set():
                    started = time.monotonic()
                    is_quiet = False
                    try:
                        is_quiet = await self._tick(versions, store, catalogue, maps)
                    except Exception as error:  # noqa: BLE001 replicas keep serving with what they have
                        logger.warning("sync will be tried again: %s", error)
                        await asyncio.sleep(_RETRY_SECONDS)
                    self._last_tick_seconds = time.monotonic() - started
                    rest = self._settings.sync_every_seconds - self._last_tick_seconds
                    if rest > 0:
                        await asyncio.sleep(rest)
                    if is_quiet:
                        await self._wait_for_news(self._news, catalogue, stop)

    async def _wait_for_news(self, news: AwaitedNews, catalogue: Catalogue, stop: asyncio.Event) -> None:
        """Wait until a tick has something to do: to ask ten times a second whether anything has changed would
        cost as much as changes do."""
        assert self._catalogue_cursor is not None
        places: dict[str, Place] = {
            **self._shards.waiting(),
            "catalogue": functools.partial(catalogue.wait_for_changes, self._catalogue_cursor),
            "stop": until_set(stop),
        }
        await news.wait(places, seconds_to_heartbeat(self._log.last, time.time()))

    async def _tick(
        self, versions: VersionCounter, store: UserStore, catalogue: Catalogue, maps: ShardMapStore
    ) -> bool:
        """Hand on what changed, and say whether all was quiet. The first delta is full, and so is one after
        buckets have moved; others that are full are made for those who begin.

        Cursors move only when what was read has been handed on: a tick that failed reads it again.
        """
        previous = self._log.last

        async def newest_map() -> ShardMap:
            shard_map = await maps.read()
            if shard_map is None:
                raise ShardMapUnavailableError("there is no map of shards")
            return shard_map

        if self._shards.follows_map:
            self._shards.follow(await newest_map())
        changes = await self._read_catalogue(catalogue)
        starting = previous is None or changes is None or self._shards.must_begin_anew
        if changes is None or starting:
            changes = await catalogue.all()
        reading = self._shards.read_whole(newest_map) if starting else self._shards.read(everything=False)
        shard_deltas = await reading
        if shard_deltas is None:
            return False  # by the next tick the map is followed
        delta, user_rows = self._merge(shard_deltas, changes, full=starting, previous=previous)
        for slot, rows in user_rows.items():
            await store.put_rows(self._settings.row_group, slot, rows)
        if starting or is_worth_sending(delta, previous):
            self._hand_on(await versions.number(delta))
        self._shards.move_on(shard_deltas)
        self._catalogue_cursor = changes.cursor
        if starting or not self._full_wanted.is_set() or await self._make_full(catalogue, newest_map):
            self._full_wanted.clear()
        return not (starting or has_news(delta, previous) or self._full_wanted.is_set())

    def _want_full(self) -> None:
        self._full_wanted.set()
        if self._news is not None:
            self._news.interrupt()

    async def _make_full(self, catalogue: Catalogue, newest_map: Callable[[], Awaitable[ShardMap]]) -> bool:
        """Read everything for a newcomer; returns whether it could be read whole. It may hold more than its
        number says; the next delta holds that too, and values are absolute."""
        last = self._log.last
        assert last is not None
        shard_deltas = await self._shards.read_whole(newest_map)
        if shard_deltas is None:
            return False
        full, _ = self._merge(shard_deltas, await catalogue.all(), full=True, previous=None)
        with self._changed:
            self._log.put_full(dataclasses.replace(full, version=last.version))
            self._changed.notify_all()
        return True

    def _hand_on(self, delta: ModelDelta) -> None:
        with self._changed:
            self._log.append(delta)
            self._changed.notify_all()

    def _merge(
        self,
        shard_deltas: Sequence[tuple[int, ShardDelta]],
        changes: CatalogueChanges,
        *,
        full: bool,
        previous: ModelDelta | None,
    ) -> tuple[ModelDelta, dict[str, Rows]]:
        return merge_shard_deltas(
            shard_deltas,
            user_slots=self._settings.user_slots,
            full=full,
            version=ModelVersion(self._settings.model_id, self._settings.lineage, 0),
            previous=0 if previous is None else previous.version.counter,
            contents=ContentColumns.of(changes.contents) if changes.contents else None,
            removed_contents=keys_of(changes.removed),
            created_at=time.time(),
        )

    async def _read_catalogue(self, catalogue: Catalogue) -> CatalogueChanges | None:
        """None: the log of changes no longer reaches back, or was never read."""
        if self._catalogue_cursor is None:
            return None
        return await catalogue.changes_after(self._catalogue_cursor)
