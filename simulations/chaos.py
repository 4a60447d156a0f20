"""Replays a fixed stream through a whole system while its processes fail, and compares with a clean run.

Each schedule has a namespace of its own, with its own actors and Serve application, on one cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import ray
from nats.errors import Error as NatsError

from actors.catalogue import Catalogue
from actors.cluster import ClusterPlan, SystemActors, start_actors
from actors.connections import Connections
from actors.names import RAY_NAMESPACE
from actors.parameter_client import ParameterClient
from actors.shard_directory import ShardDirectory
from actors.streams import StreamSettings, delete_streams, ensure_streams
from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from messages.feed import FeedMessage
from simulations.chaos_accounts import differences, has_settled
from simulations.chaos_faults import Fault, Moment
from simulations.chaos_injection import FaultInjector
from simulations.chaos_model import ModelTest
from simulations.chaos_stream import PROBE_PARTITION, Accounts, ChaosStream, contents, people
from simulations.chaos_watch import FeedProbe, RecoveryWatch

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_MESSAGES = 0.1
_LAST_MESSAGES = 4
"""Held back until every fault is over: each must have a message after it whose serving ends its recovery."""
_SETTLE_SECONDS = 90.0
_POLL_SECONDS = 0.2
_DUPLICATE_WINDOW_SECONDS = 120.0
_LIMITS = StreamSettings(
    max_bytes=2**26, max_dead_bytes=2**22, duplicate_window_seconds=_DUPLICATE_WINDOW_SECONDS
)
_NUM_PROBING = 6


@dataclass(frozen=True, slots=True)
class CleanRun:
    """What comes of a stream when nothing fails."""

    stream: ChaosStream
    accounts: Accounts
    model: ModelTest

    @classmethod
    def of(cls, stream: ChaosStream, joiner: JoinerSettings, training: TrainingSettings) -> CleanRun:
        return cls(stream, stream.clean_accounts(joiner), ModelTest(stream, joiner, training))


@dataclass(slots=True)
class ScheduleResult:
    """different: what is not as in a clean run; nothing where all accounts are equal. auc: of the model after
    it, NaN where it did not get so far. recoveries: kind and seconds of each moment of the schedule."""

    different: list[str] = field(default_factory=list)
    auc: float = float("nan")
    failed_requests: list[str] = field(default_factory=list)
    num_requests: int = 0
    num_retried: int = 0
    recoveries: list[tuple[str, float]] = field(default_factory=list)


async def run_schedule(
    plan: ClusterPlan,
    base_url: str,
    clean: CleanRun,
    moments: list[Moment],
    injector: FaultInjector,
) -> ScheduleResult:
    """Publish, fail, wait until everything is through, and compare. The namespace must be running."""
    result = ScheduleResult()
    probe = FeedProbe(base_url, people((PROBE_PARTITION,), _NUM_PROBING, "probe"))
    watch = RecoveryWatch(base_url)
    async with await Connections.open(plan.endpoints, "chaos") as connections:
        await _wait_until_served(base_url, probe.users[0])
        watching = [asyncio.create_task(probe.run()), asyncio.create_task(watch.run())]
        try:
            last, problems = await _publish(connections, clean.stream, moments, injector, watch)
            result.different += problems
            result.different += await _settle(connections, last, plan, watch)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        if not result.different:
            result.different += await differences(
                connections, clean.stream, clean.accounts, plan.model.group, plan.num_shards
            )
            shards = ParameterClient(shard_map=ShardDirectory(plan.endpoints, RAY_NAMESPACE))
            result.auc = await clean.model.auc(shards, plan.model.group)
            if (difference := clean.model.difference(result.auc)) is not None:
                result.different.append(difference)
    result.failed_requests, result.num_requests = probe.failed, probe.num_requests
    result.num_retried, result.recoveries = probe.num_retried, watch.seconds
    return result


@contextlib.contextmanager
def namespace_running(plan: ClusterPlan) -> Iterator[SystemActors]:
    """Run the actors of one namespace, and leave nothing of it behind."""
    asyncio.run(_prepare(plan))
    actors = start_actors(plan)
    try:
        yield actors
    finally:
        _stop(actors)
        asyncio.run(_clean_up(plan))


def _stop(actors: SystemActors) -> None:
    """Stop the actors, and end them where one of them is not there to be stopped."""
    try:
        actors.stop()
    except ray.exceptions.RayError:
        logger.exception("not all actors could be stopped")
        for handle in (*actors.workers().values(), *actors.shards.values()):
            ray.kill(handle)


async def _publish(
    connections: Connections,
    stream: ChaosStream,
    moments: list[Moment],
    injector: FaultInjector,
    watch: RecoveryWatch,
) -> tuple[dict[int, int], list[str]]:
    """Publish message after message, each once; returns the last sequence by partition, and what went wrong
    with the faults themselves."""
    last: dict[int, int] = {}
    faults: list[asyncio.Task[None]] = []
    due = {moment.before_message: moment for moment in moments}
    for index, (partition, message) in enumerate(stream.messages()):
        if index in due:
            faults.append(asyncio.create_task(_fail(due[index], injector, watch)))
        if index == len(stream) - _LAST_MESSAGES and faults:
            await asyncio.wait(faults)
        last[partition] = await _publish_once(connections, partition, message, index)
        watch.published(partition, last[partition])
        await asyncio.sleep(_SECONDS_BETWEEN_MESSAGES)
    outcomes = await asyncio.gather(*faults, return_exceptions=True)
    return last, [f"fault not done: {problem}" for problem in outcomes if problem is not None]


async def _fail(moment: Moment, injector: FaultInjector, watch: RecoveryWatch) -> None:
    async def one(fault: Fault) -> None:
        await injector.inject(fault)

    await asyncio.gather(*(one(fault) for fault in moment.faults))
    watch.fault_over(moment.kind)


async def _publish_once(connections: Connections, partition: int, message: FeedMessage, index: int) -> int:
    """Publish until it is acknowledged; the broker knows a message that came before by its id."""
    namespace = connections.namespace
    deadline = time.monotonic() + _DUPLICATE_WINDOW_SECONDS / 2
    while True:
        try:
            acknowledged = await connections.js.publish(
                namespace.feed_subject(partition),
                message.encode(),
                timeout=2.0,
                stream=namespace.feed_stream,
                headers={"Nats-Msg-Id": f"message-{index}"},
            )
        except (NatsError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return int(acknowledged.seq)


async def _settle(
    connections: Connections, last: dict[int, int], plan: ClusterPlan, watch: RecoveryWatch
) -> list[str]:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        remaining = deadline - time.monotonic()
        try:
            async with asyncio.timeout(max(remaining, 0.01)):
                settled = await has_settled(connections.namespace, last, plan.model.group, plan.num_shards)
        except TimeoutError:
            return [f"not through after {_SETTLE_SECONDS:.0f} s"]
        if settled and not watch.num_awaited:
            return []
        if remaining < 0:
            return [f"{watch.num_awaited} faults not got over in {_SETTLE_SECONDS:.0f} s"]
        await asyncio.sleep(_POLL_SECONDS)


async def _wait_until_served(base_url: str, user: str) -> None:
    """Wait for the first feed that shows something. Raises TimeoutError."""
    async with httpx.AsyncClient(base_url=base_url, timeout=5.0) as http, asyncio.timeout(_SETTLE_SECONDS):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.get(f"/v1/feed/{user}", params={"limit": 5})
                if answer.is_success and answer.json()["items"]:
                    return
            await asyncio.sleep(_POLL_SECONDS)


async def _prepare(plan: ClusterPlan) -> None:
    async with await Connections.open(plan.endpoints, "chaos-begin") as connections:
        await ensure_streams(connections.js, connections.namespace, _LIMITS)
        # Enough that nobody who probes runs out of contents that were not served yet.
        await Catalogue(connections.redis, connections.namespace).put_many(contents("probed", 3_000))


async def _clean_up(plan: ClusterPlan) -> None:
    async with await Connections.open(plan.endpoints, "chaos-end") as connections:
        await delete_streams(connections.js, connections.namespace)
        keys = [key async for key in connections.redis.scan_iter(connections.namespace.key("*"), count=5_000)]
        for start in range(0, len(keys), 5_000):
            await connections.redis.delete(*keys[start : start + 5_000])
    shutil.rmtree(plan.snapshot_root, ignore_errors=True)
