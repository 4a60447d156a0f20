"""A log through the running system, in a namespace of its own, and in one process: the same figures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.cluster import ClusterPlan
from actors.connections import Connections
from actors.names import Namespace
from foryou.system import System
from simulations.in_process_replay import replay_in_process
from simulations.kuairand import KuaiRandLog
from simulations.system_replay import replay_through_system
from tests.kuairand_files import NUM_ROWS, write_log

pytestmark = pytest.mark.system
NAMESPACE = "replay-test"
WINDOW_ROWS = 128


def test_a_replay_through_the_system_learns_what_one_in_process_learns(
    system: System, tmp_path: Path
) -> None:
    settings = system.settings
    log = KuaiRandLog(write_log(tmp_path / "log"), window_rows=WINDOW_ROWS)
    plan = ClusterPlan(
        endpoints=system.endpoints.model_copy(update={"namespace": NAMESPACE}),
        snapshot_root=tmp_path / "snapshots",
        joiner=settings.joiner,
        training=settings.training,
        batching=settings.batching,
        replay=True,
    )
    advanced: list[int] = []
    through_system = replay_through_system(plan, log, settings.streams, None, advanced.append)
    in_process = replay_in_process(log, training=settings.training, joiner=settings.joiner)
    assert through_system.rows == in_process.rows == sum(advanced) == NUM_ROWS
    assert through_system.examples == in_process.examples
    assert through_system.auc_click == pytest.approx(in_process.auc_click, abs=0.003)
    assert through_system.auc_long_view == pytest.approx(in_process.auc_long_view, abs=0.003)
    assert not asyncio.run(leftovers(system)), "a replay leaves nothing behind"


async def leftovers(system: System) -> list[str]:
    async with await Connections.open(system.endpoints, "test") as connections:
        namespace = Namespace(NAMESPACE)
        keys = [key.decode() async for key in connections.redis.scan_iter(namespace.key("*"))]
        streams = [info.config.name for info in await connections.js.streams_info()]
        return keys + [name for name in streams if name and name.endswith(NAMESPACE)]
