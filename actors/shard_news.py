"""Lets readers of a shard's deltas wait until there is something to read, beside the shard's own thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from actors.paced_snapshots import PacedSnapshots
from messages.updates import Cursor
from parameter_server.shard import ParameterShard


class ShardNews:
    """Over all the lives that a host gives its shard. `begin` and `tell` belong to the shard's thread."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._shard: ParameterShard | None = None
        self._snapshots: PacedSnapshots | None = None

    def begin(self, shard: ParameterShard, snapshots: PacedSnapshots) -> None:
        """Tell of these from now on: another incarnation is news."""
        self._shard, self._snapshots = shard, snapshots
        self.tell()

    def tell(self) -> None:
        """Let those who wait look again."""
        with self._told:
            self._told.notify_all()

    def wait(self, cursors: Mapping[str, Cursor], seconds: float) -> bool:
        """Wait until a group does not stand at its cursor, or a snapshot goes on with the next call; False:
        neither. May be called from any thread, since it reads numbers alone. Raises UnknownGroupError."""

        def is_news() -> bool:
            shard, snapshots = self._shard, self._snapshots
            assert shard is not None
            assert snapshots is not None
            standing = {group: (shard.group(group).version, shard.incarnation) for group in cursors}
            return standing != cursors or snapshots.has_work

        with self._told:
            return self._told.wait_for(is_news, seconds)
