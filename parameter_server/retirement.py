"""Which rows go: those nobody has touched for long, and the least recently used where there are too many.

Both are decided by stream time alone (DynamicEmb and HierarchicalKV evict by wall clock or counter), so the
same stream leaves the same rows whenever it is read.
"""

from __future__ import annotations

from messages.arrays import IdArray
from parameter_server.row_table import RowTable

_EVICTION_SHARE = 64


def overdue(table: RowTable, now: int, expire_after: float | None) -> IdArray:
    """Return the ids not touched for longer than `expire_after` seconds, uint64 [k]."""
    if expire_after is None:
        return table.least_recent(0, 0)
    return table.least_recent(0, max(0, int(now - expire_after)))


def surplus(table: RowTable, max_rows: int | None) -> IdArray:
    """Return the least recently used ids beyond `max_rows`, uint64 [k], and a few more.

    A 64th of the limit goes at once: rows of one second are put in the order of their ids, which costs as
    much for one as for all.
    """
    if max_rows is None or len(table) <= max_rows:
        return table.least_recent(0, 0)
    return table.least_recent(len(table) - max_rows + max_rows // _EVICTION_SHARE, 0)
