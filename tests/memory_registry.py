"""The registry of models in this process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from actors.model_groups import FIRST_MODEL
from actors.model_records import LogEntry, ModelRecords, ModelSpec
from monitoring.model_registry import ModelRegistry
from monitoring.promotion import PromotionSettings

NOW = 1_764_000_000.0


class MemoryRegistry:
    """Keeps the records as the store does, in this process."""

    def __init__(self) -> None:
        registry = ModelRegistry(PromotionSettings())
        registry.add(FIRST_MODEL, "the first", NOW)
        self.records = ModelRecords(registry, {FIRST_MODEL: ModelSpec()}, revision=1)
        self.entries: list[LogEntry] = []

    async def load(self) -> ModelRecords:
        return copy.deepcopy(self.records)

    async def change(self, act: Callable[[ModelRecords], Sequence[LogEntry]]) -> list[LogEntry]:
        changed = copy.deepcopy(self.records)
        entries = list(act(changed))
        changed.revision += 1
        self.records = changed
        self.entries += entries
        return entries

    async def log(self) -> list[LogEntry]:
        return self.entries

    async def verdicts(self) -> dict[str, Any]:
        return {
            FIRST_MODEL: {"words": "wait in production: nothing is watched", "numbers": {"p": float("nan")}}
        }
