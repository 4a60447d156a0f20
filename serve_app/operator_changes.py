"""What operators change while everything runs, in force in this replica from the next request on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from messages.identifiers import keys_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.signal_weights import SignalWeights, known_weights
from serve_app.ports import WeightStore


class RemovedContents(Protocol):
    """`actors.catalogue.Catalogue`, from here."""

    async def removed(self) -> list[str]:
        """Return the ids of contents that were removed last and not put again."""
        ...


class OperatorChanges:
    """Takes up weights and removed contents as soon as a request brings a notice that is not the last one.

    The notice is a number in the store that rises with each such change; a request reads it with everything
    else of its person, so what is not changed costs nothing, and a change holds at once in every replica.
    """

    def __init__(
        self, replica: ModelReplica, catalogue: RemovedContents, store: WeightStore, weights: SignalWeights
    ) -> None:
        """weights: the live table; what is in it now holds as long as the store has none."""
        self.weights = weights
        self._settings_table = dict(weights.table)
        self._replica = replica
        self._catalogue = catalogue
        self._store = store
        self._turn = asyncio.Lock()
        self._notice = 0
        self._removed = np.empty(0, dtype=np.uint64)

    @property
    def settings_table(self) -> Mapping[str, float]:
        """The table of the settings, which holds until somebody sets another."""
        return self._settings_table

    async def follow(self, notice: int) -> None:
        """Read anew what operators have set, if this notice says that something changed."""
        if notice == self._notice:
            return
        async with self._turn:  # or what was read first could arrive last
            if notice == self._notice:
                return
            stored = await self._store.read()
            self._removed = keys_of(await self._catalogue.removed())
            if stored is None:
                self.weights.replace(self._settings_table, 0)
            else:
                self.weights.replace(known_weights(stored.table), stored.revision)
            self._notice = notice

    def withdraw(self, replica: ModelReplica | None = None) -> None:
        """Take removed contents out of the replica that ranks (the first, where none is named), where a delta
        has not yet or one under way has brought them back. Call it right before ranking, without an await in
        between."""
        replica = replica or self._replica
        if len(self._removed) and (replica.state.contents.find(self._removed) >= 0).any():
            replica.state.remove_contents(self._removed)
