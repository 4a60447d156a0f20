"""What tests of the seams share: real servers on this machine, and a namespace of its own for each test."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator

import pytest

from actors.connections import EndpointSettings
from foryou.local_services import LocalServices, StateFolder

NUM_PARTITIONS = 4


def pytest_configure() -> None:
    """Collect garbage seldom: among the objects of torch and scipy that takes longer than most tests."""
    gc.set_threshold(200_000, 50, 50)


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
