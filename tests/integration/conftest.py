"""Real servers on this machine, and a namespace of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from actors.connections import EndpointSettings
from foryou.local_services import LocalServices, StateFolder

NUM_PARTITIONS = 4


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
