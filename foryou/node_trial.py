"""What can happen to the nodes of a cluster, one after the other, while a log is learned and feeds are asked
for; after each the accounts are compared with those of one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from actors.connections import Connections, EndpointSettings
from foryou.node_cluster import HEAD, NodeCluster
from simulations.feed_crowd import FeedCrowd
from simulations.paced_log import PacedLog
from simulations.prefix_accounts import CleanPrefix, SystemPrefix

WORKER_ROLES = ("shard", "learner", "serving", "worker")
STEPS = ("calm", "update", "head", "add", "scale", "kill", "cut", "drain")
"""The two under the higher rate of feeds come before further nodes and shards share the machine."""
CUT_SECONDS = 10.0
_BUSY_RATE = 50.0
_CALM_RATE = 10.0
_LEAD_SECONDS = 3.0
_HEADLESS_SECONDS = 5.0
_SETTLE_SECONDS = 180.0
_POLL_SECONDS = 0.2
_WRITTEN_POLL_SECONDS = 1.0


class TrialError(Exception):
    """Something did not come to its end in time."""


@dataclass(slots=True)
class NodeTrial:
    """One cluster, one log, one crowd. http_port: of every serving node."""

    cluster: NodeCluster
    endpoints: EndpointSettings
    log: PacedLog
    crowd: FeedCrowd
    clean: CleanPrefix
    system: SystemPrefix
    http_port: int
    say: Callable[[str], None]
    _names: list[str] = field(default_factory=lambda: ["d", "c"])

    def run(self, name: str) -> dict[str, Any]:
        """Let one of STEPS happen and return what came of it.

        seconds: the step itself. recovery_s: from its end until what was published after it is learned and
        served. different: accounts that are not a clean run's.
        """
        step: Callable[[], dict[str, Any]] = getattr(self, f"_{name}")
        self.crowd.rate = _BUSY_RATE if name in ("update", "head") else _CALM_RATE
        self.crowd.begin_count()
        rows = self.log.num_rows
        self.log.resume()
        time.sleep(_LEAD_SECONDS)
        began = time.monotonic()
        facts = step()
        ended = time.monotonic()
        self._wait_until_served(self._published_from_now(), f"{name}: not learned again")
        recovered = time.monotonic()
        self._wait_until_served(self.log.pause(), f"{name}: not all is learned")
        counts = self.crowd.begin_count()
        self._wait_until_written()
        different = asyncio.run(self._differences())
        return {
            "seconds": round(ended - began, 1),
            "recovery_s": round(recovered - ended, 1),
            "rows": self.log.num_rows - rows,
            **counts.report(),
            **facts,
            "different": different,
            "problems": counts.failed[:5] or counts.problems[:5],
        }

    def rest(self) -> dict[str, Any]:
        """Learn what is left of the log as fast as it goes, and compare."""
        self.crowd.rate = _CALM_RATE
        self.crowd.begin_count()
        rows, began = self.log.num_rows, time.monotonic()
        self.log.rows_per_second = float("inf")
        self.log.resume()
        while not self.log.is_over:
            time.sleep(_POLL_SECONDS)
        self._wait_until_served(self.log.pause(), "the rest is not learned")
        seconds = time.monotonic() - began
        self._wait_until_written()
        different = asyncio.run(self._differences())
        counts = self.crowd.begin_count().report()
        return {
            "seconds": round(seconds, 1),
            "rows": self.log.num_rows - rows,
            **counts,
            "different": different,
        }

    def _calm(self) -> dict[str, Any]:
        return {}

    def _add(self) -> dict[str, Any]:
        return {"start_s": round(self.cluster.start(self._names.pop(), *WORKER_ROLES), 1)}

    def _scale(self) -> dict[str, Any]:
        shards = self.cluster.command("scale", "shards", "4")
        learners = self.cluster.command("scale", "learners", "2")
        joiners = self.cluster.command("scale", "joiners", "2")
        return {
            "shards_s": round(shards["seconds"], 1),
            "buckets_moved": shards["buckets_moved"],
            "learners_s": round(learners["seconds"], 1),
            "joiners_s": round(joiners["seconds"], 1),
        }

    def _kill(self) -> dict[str, Any]:
        """The node dies with all that runs there, and never comes back; another is started afterwards."""
        name = self.cluster.node_with(f"{self.endpoints.namespace}-shard-0")
        killed = self.cluster.kill(name)
        self.cluster.forget(name)
        self._wait_until_served(self._published_from_now(), "a killed node is not got over")
        return {"processes_killed": killed}

    def _cut(self) -> dict[str, Any]:
        name = self.cluster.node_with(f"{self.endpoints.namespace}-shard-0")
        self.cluster.cut(name)
        time.sleep(CUT_SECONDS)
        self.cluster.mend(name)
        return {}

    def _drain(self) -> dict[str, Any]:
        if self._names:
            self.cluster.start(self._names.pop(), *WORKER_ROLES)
        name = self.cluster.node_with(f"{self.endpoints.namespace}-shard-0")
        report = self.cluster.command("drain", self.cluster.address(name))
        self.cluster.forget(name)
        return {"drain_s": report["seconds"], "parts_moved": report["moved"]}

    def _update(self) -> dict[str, Any]:
        """Other settings: all actors are started anew, and all replicas; then back the same way."""
        changed = "FORYOU_SYNC__EVERY_SECONDS"
        self.cluster.environment[changed] = "0.2"
        there = self.cluster.command("deploy")
        del self.cluster.environment[changed]
        back = self.cluster.command("deploy", "--rollback")
        return {"update_s": there["seconds"], "rollback_s": back["seconds"]}

    def _head(self) -> dict[str, Any]:
        killed = self.cluster.kill(HEAD)
        began = time.monotonic()
        time.sleep(_HEADLESS_SECONDS)
        self.cluster.start(HEAD, HEAD)
        return {"processes_killed": killed, "head_away_s": round(time.monotonic() - began, 1)}

    def _published_from_now(self) -> dict[int, int]:
        """Return sequences of which each is later than all that is published by now."""
        return {partition: sequence + 1 for partition, sequence in self.log.published.items()}

    def _wait_until_served(self, sequences: dict[int, int], problem: str) -> None:
        """Wait until a replica serves what was learned up to these FEED sequences, or up to the end of a log
        that is over. Raises TrialError."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            status = self._status()
            served = {int(name): part["feed"] for name, part in status.get("partitions", {}).items()}
            left = {
                partition: sequence
                for partition, sequence in sequences.items()
                if served.get(partition, 0) < self._last(partition, sequence)
            }
            if not left:
                return
            if time.monotonic() > deadline:
                raise TrialError(f"{problem}: {left} are wanted, {served} are served. {_problems_of(status)}")
            time.sleep(_POLL_SECONDS)

    def _last(self, partition: int, sequence: int) -> int:
        """Return the sequence, or that after which nothing comes any more."""
        return min(sequence, self.log.published[partition]) if self.log.is_over else sequence

    def _status(self) -> dict[str, Any]:
        """Ask one node after the other how the system is; empty where none answers."""
        for url in urls(self.cluster.addresses(), self.http_port):
            try:
                answer = httpx.get(f"{url}/v1/status", timeout=2.0)
            except httpx.HTTPError:
                continue
            if answer.is_success:
                status: dict[str, Any] = answer.json()
                return status
        return {}

    def _wait_until_written(self) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not self.system.is_written(self.clean):
            if time.monotonic() > deadline:
                return  # the comparison tells what is missing
            time.sleep(_WRITTEN_POLL_SECONDS)

    async def _differences(self) -> list[str]:
        async with await Connections.open(self.endpoints, "node-trial") as connections:
            return await self.system.differences(connections, self.clean)


def _problems_of(status: dict[str, Any]) -> str:
    parts = status.get("workers", {}).items()
    told = [f"{role}: {part['failure']}" for role, part in parts if part.get("failure")]
    return (
        "; ".join([*told, *status.get("reasons", ()), *status.get("warnings", ())])
        or f"{len(parts)} parts run"
    )


def urls(addresses: Sequence[str], port: int) -> list[str]:
    return [f"http://{address}:{port}" for address in addresses]
