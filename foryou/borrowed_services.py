"""Broker, store and Ray for a command that needs no serving: the running system's, or its own."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foryou.local_services import LocalServices, StateFolder
from foryou.ray_session import ray_session
from foryou.running_endpoints import endpoints_of
from foryou.settings import SystemSettings

if TYPE_CHECKING:  # Serve reads its flags when imported, so nothing may import it before they are set
    from actors.cluster import ClusterPlan


@dataclass(frozen=True, slots=True)
class BorrowedStreams:
    """URLs of NATS and of the store. ray_address: of the running system, None where none runs."""

    nats_url: str
    store_url: str
    ray_address: str | None


@contextlib.contextmanager
def borrowed_streams(settings: SystemSettings) -> Iterator[BorrowedStreams]:
    """Yield broker and store: the running system's, where one runs on the state folder, else its own."""
    state = StateFolder(settings.services.state)
    running = state.find_running()
    if running is not None:
        yield BorrowedStreams(running.nats_url, running.store_url, running.ray_address)
        return
    services = settings.services
    with (
        state,
        LocalServices(state, services.nats_url, services.store_url, services.nats_sync) as local,
    ):
        yield BorrowedStreams(local.nats_url, local.store_url, None)


@contextlib.contextmanager
def passing_plan(settings: SystemSettings, purpose: str, *, replay: bool = False) -> Iterator[ClusterPlan]:
    """Yield actors to start in a namespace of their own, `purpose` and a random number, with Ray initialized.

    They share broker, store and Ray with the running system, where there is one.
    """
    namespace = f"{purpose}-{uuid.uuid4().hex[:8]}"
    with borrowed_streams(settings) as streams, ray_session(settings, streams.ray_address):
        from actors.cluster import ClusterPlan

        yield ClusterPlan(
            endpoints=endpoints_of(settings, streams.nats_url, streams.store_url, namespace),
            snapshot_root=settings.services.state.resolve() / "snapshots" / namespace,
            num_shards=settings.shards.count,
            joiner=settings.joiner,
            training=settings.training,
            batching=settings.batching,
            replay=replay,
        )
