"""Real servers on this machine, and a namespace of its own for each test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.connections import Connections, EndpointSettings
from actors.parameter_client import ParameterClient
from actors.shard_host import ShardHost
from actors.shard_host_settings import ShardHostSettings
from actors.streams import StreamSettings, ensure_streams
from foryou.local_services import LocalServices, StateFolder
from parameter_server.routing import ShardRouter, assign_buckets
from tests.joined_traffic import TRAINING, LocalShard

NUM_PARTITIONS = 4
NUM_SHARDS = 2


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServices]:
    """A real NATS server and a real Valkey, once for all tests."""
    with LocalServices(StateFolder(tmp_path_factory.mktemp("services")), None, None) as running:
        yield running


@pytest.fixture
def endpoints(services: LocalServices) -> EndpointSettings:
    """A namespace that no other test has seen."""
    return EndpointSettings(
        nats_url=services.nats_url,
        store_url=services.store_url,
        namespace=f"test-{uuid.uuid4().hex[:12]}",
        num_partitions=NUM_PARTITIONS,
    )


@pytest.fixture
def hosts(endpoints: EndpointSettings, tmp_path: Path) -> dict[int, ShardHost]:
    owners = assign_buckets(NUM_SHARDS)
    settings = ShardHostSettings(snapshot_root=tmp_path)
    return {
        shard: ShardHost(
            shard,
            np.flatnonzero(owners == shard),
            {"production": TRAINING},
            endpoints.num_partitions,
            settings,
        )
        for shard in range(NUM_SHARDS)
    }


@pytest.fixture
def client(hosts: dict[int, ShardHost]) -> ParameterClient:
    return ParameterClient(
        {shard: LocalShard(host) for shard, host in hosts.items()}, ShardRouter(assign_buckets(NUM_SHARDS))
    )


@pytest.fixture
def started(endpoints: EndpointSettings) -> Iterator[Callable[[Any], Any]]:
    """Stops at the end what a test started, in the reverse order."""

    async def prepare() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            limits = StreamSettings(max_bytes=2**25, max_dead_bytes=2**20)
            await ensure_streams(connections.js, connections.namespace, limits)

    asyncio.run(prepare())
    running: list[Any] = []

    def start(worker: Any) -> Any:
        running.append(worker)
        return worker

    yield start
    for worker in reversed(running):
        worker.stop()
