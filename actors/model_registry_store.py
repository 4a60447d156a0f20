"""The registry of models in the store: read by everybody, changed by whoever stood at its newest revision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import WatchError

from actors.model_groups import FIRST_MODEL
from actors.model_records import LogEntry, ModelRecords, ModelSpec
from actors.models_settings import ModelsSettings
from actors.names import Namespace
from messages.codec import pack, unpack
from monitoring.model_registry import ModelRegistry

_LOG_READ = 1_000


class NoModelsError(LookupError):
    """The store has no registry: nothing has been started in this namespace yet."""


class ModelRegistryStore:
    """Records and log change together, in one transaction: nothing is done that is not on record."""

    def __init__(self, redis: Redis, namespace: Namespace, settings: ModelsSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._key = namespace.key("models")
        self._log_key = namespace.key("models", "log")
        self._verdicts_key = namespace.key("models", "verdicts")
        self._read: tuple[bytes, ModelRecords] | None = None

    async def ensure(self, now: float) -> ModelRecords:
        """Return the records; of a new system they name one model, which is production."""
        try:
            return await self.load()
        except NoModelsError:
            registry = ModelRegistry(self._settings.promotion, self._settings.canary_share)
            registry.add(FIRST_MODEL, "the first model of this system", now)
            records = ModelRecords(registry, {FIRST_MODEL: ModelSpec()}, revision=1)
            await self._redis.set(self._key, pack(records.to_wire()), nx=True)
            return await self.load()

    async def load(self) -> ModelRecords:
        """Return what the store says: the records of last time where nothing changed, so do not change them.

        Raises NoModelsError.
        """
        raw = await self._redis.get(self._key)
        if raw is None:
            raise NoModelsError("no model is registered in this namespace; `foryou up` registers the first")
        if self._read is None or self._read[0] != raw:
            self._read = raw, ModelRecords.from_wire(unpack(raw), self._settings)
        return self._read[1]

    async def change(self, act: Callable[[ModelRecords], Sequence[LogEntry]]) -> list[LogEntry]:
        """Read, let `act` change the records, and keep them if nobody else has changed them; else again.

        act: a pure function, called as often as it takes; what it raises is raised here, and where it returns
        nothing, nothing is kept.
        """
        while True:
            async with self._redis.pipeline(transaction=True) as transaction:
                await transaction.watch(self._key)
                raw = await transaction.get(self._key)
                if raw is None:
                    raise NoModelsError("no model is registered in this namespace")
                records = ModelRecords.from_wire(unpack(raw), self._settings)
                entries = list(act(records))
                if not entries:
                    return []
                records.revision += 1
                transaction.multi()
                transaction.set(self._key, pack(records.to_wire()))
                transaction.rpush(self._log_key, *(pack(entry.model_dump()) for entry in entries))
                try:
                    await transaction.execute()
                except WatchError:
                    continue
                return entries

    async def log(self, limit: int = _LOG_READ) -> list[LogEntry]:
        """Return the newest changes, oldest first."""
        raw = await self._redis.lrange(self._log_key, -limit, -1)
        return [LogEntry.model_validate(unpack(entry)) for entry in raw]

    async def put_verdicts(self, verdicts: dict[str, Any]) -> None:
        """Keep what the rules said last of each model, for people: numbers change, so it is no change."""
        await self._redis.set(self._verdicts_key, pack(verdicts))

    async def verdicts(self) -> dict[str, Any]:
        raw = await self._redis.get(self._verdicts_key)
        return {} if raw is None else dict(unpack(raw))
