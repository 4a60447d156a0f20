"""A consistent copy of a shard, taken a slice at a time while the shard goes on.

Rows are copied in slices, each as it is at its own moment; at the end the few that changed since the first
slice are copied again, all at once. Rows are absolute, so the second copy written over the first is the shard
as it was at the end (a fuzzy checkpoint and its log, as databases have them). No call waits for more than a
slice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from messages.arrays import IntArray
from messages.updates import CounterRows
from parameter_server.group_state import GroupState, joined_counters
from parameter_server.shard import ParameterShard
from parameter_server.table_group import TableGroup
from parameter_server.table_state import TableState

_ATTEMPTS = 3
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class _GroupCopy:
    """What was copied slice by slice, its tables apart, and what had changed by the end."""

    early: GroupState
    tables: Mapping[str, list[TableState]]
    late: GroupState

    def state(self) -> GroupState:
        if not self.tables:
            return self.early.changed_by(self.late) if self.late is not self.early else self.early
        removed = self.late.removed
        tables = {
            slot: TableState.overlaid(parts, self.late.slots[slot], removed[slot])
            for slot, parts in self.tables.items()
        }
        return dataclasses.replace(self.early.changed_by(self.late), slots=tables)


class ShardCopy:
    """Copies every group, or what changed in it; `step` between the shard's other calls until it says True.

    since: per group, the version after which changes are wanted; those left out are copied whole.
    """

    def __init__(
        self, shard: ParameterShard, since: Mapping[str, int] | None = None, slice_rows: int = 16_384
    ) -> None:
        self._shard = shard
        self._since = since or {}
        self._slice_rows = slice_rows
        self._copies: dict[str, _GroupCopy] = {}
        self.moves = shard.moves
        """The shard's `moves` when what was copied began."""
        self._steps = self._run()

    def step(self) -> bool:
        """Copy one slice; return True when there is nothing left to copy. In the shard's own thread."""
        return next(self._steps, True)

    def finish(self) -> dict[str, GroupState]:
        """Do all remaining steps and return the states."""
        while not self.step():
            pass
        return self.states()

    def states(self) -> dict[str, GroupState]:
        """Put the copies together, by group; in any thread, once the last step is done."""
        return {name: copied.state() for name, copied in self._copies.items()}

    def versions(self) -> dict[str, int]:
        """Return the version of each group that this is a copy of."""
        return {name: copied.late.version for name, copied in self._copies.items()}

    def _run(self) -> Generator[bool, None, None]:
        for _ in range(_ATTEMPTS):
            self.moves, self._copies = self._shard.moves, {}
            is_whole = True
            for name in self._shard.group_names():
                copied = None
                if self._shard.has_group(name):
                    copied = yield from self._copy(self._shard.group(name), self._since.get(name, -1))
                if copied is None:
                    is_whole = False
                    break
                self._copies[name] = copied
            if is_whole and self._is_as_begun(self._copies):
                return
            self._since = {}
        states = self._shard.states()  # all at once: something that is no update came each time
        self.moves = self._shard.moves
        self._copies = {name: _GroupCopy(state, {}, state) for name, state in states.items()}

    def _is_as_begun(self, names: Iterable[str]) -> bool:
        return self._shard.moves == self.moves and self._shard.group_names() == sorted(names)

    def _copy(self, group: TableGroup, since: int) -> Generator[bool, None, _GroupCopy | None]:
        """Return a copy, or None if something else than updates came in between."""
        if since >= 0 and not group.knows_changes_since(since):
            since = -1
        begun, slice_rows = group.version, self._slice_rows
        slots: dict[str, list[TableState]] = {}
        for slot, table in group.tables.items():
            tables = yield from _slices(table.rows.rows_since(since), table.state_of_rows, slice_rows)
            slots[slot] = tables
        counters: CounterRows | None = None
        if group.counters is not None:
            rows = group.counters.rows.rows_since(since)
            counters = joined_counters((yield from _slices(rows, group.counters.of_rows, slice_rows)))
        is_same = self._shard.has_group(group.name) and self._shard.group(group.name) is group
        if not is_same or self._shard.moves != self.moves or not group.knows_changes_since(begun):
            return None
        late = group.state_since(begun)
        early = dataclasses.replace(
            late,
            version=begun,
            since=since,
            dense=group.dense.states(since),
            counters=counters,
            removed=group.removed_since(since) if since >= 0 else {},
        )
        return _GroupCopy(early, slots, late)


def _slices(
    rows: IntArray, copy: Callable[[IntArray], _Part], slice_rows: int
) -> Generator[bool, None, list[_Part]]:
    parts = [copy(rows[:0])]
    for start in range(0, len(rows), slice_rows):
        parts.append(copy(rows[start : start + slice_rows]))
        yield False
    return parts
