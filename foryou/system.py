"""A whole system on one machine or a cluster: services, Ray, actors, Serve; stopped as clean as started."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from foryou.local_services import LOOPBACK, LocalServices, RunningSystem, StateFolder, free_port
from foryou.ray_session import ray_address, start_ray, stop_ray
from foryou.settings import SystemSettings

logger = logging.getLogger(__name__)


class System:
    """Use as a context manager. `say` is told each step as it begins, for whoever shows progress."""

    def __init__(self, settings: SystemSettings, say: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self._say = say
        self._state = StateFolder(settings.services.state)
        self._services: LocalServices | None = None
        self._actors: Any = None
        self._ray_started = False
        self._serve_started = False
        self.http_url = ""
        self.endpoints: Any = None

    def __enter__(self) -> System:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def actors(self) -> Any:
        """The `SystemActors` of the live namespace."""
        return self._actors

    @property
    def service_pids(self) -> list[int]:
        return [] if self._services is None else self._services.pids

    def _start(self) -> None:
        settings = self.settings
        self._state.acquire()
        self._say("NATS and Valkey")
        self._services = LocalServices(
            self._state, settings.services.nats_url, settings.services.store_url, settings.services.nats_sync
        )
        self._services.__enter__()
        self._say("Ray")
        start_ray(settings)
        self._ray_started = True
        from actors.cluster import start_actors

        self.endpoints = self._endpoints()
        self._ensure_streams()
        self._say("joiner, learner, shards, model actor")
        self._actors = start_actors(self._plan())
        self._say("Ray Serve")
        self._start_serve()
        self._state.announce(
            RunningSystem(
                os.getpid(),
                self.http_url,
                self._services.nats_url,
                self._services.store_url,
                ray_address(),
            )
        )

    def _endpoints(self) -> Any:
        from actors.connections import EndpointSettings

        assert self._services is not None
        return EndpointSettings(
            nats_url=self._services.nats_url,
            store_url=self._services.store_url,
            namespace=self.settings.namespace,
            num_partitions=self.settings.num_partitions,
        )

    def _ensure_streams(self) -> None:
        import asyncio

        from actors.connections import Connections
        from actors.streams import ensure_streams

        async def ensure() -> None:
            async with await Connections.open(self.endpoints, "foryou-up") as connections:
                await ensure_streams(connections.js, connections.namespace, self.settings.streams)

        asyncio.run(ensure())

    def _plan(self) -> Any:
        from actors.cluster import ClusterPlan
        from actors.model_actor import ModelActorSettings

        settings = self.settings
        return ClusterPlan(
            endpoints=self.endpoints,
            snapshot_root=self.snapshot_root / settings.namespace,
            num_shards=settings.shards.count,
            snapshot_every_seconds=settings.shards.snapshot_every_seconds,
            snapshots_kept=settings.shards.snapshots_kept,
            joiner=settings.joiner,
            training=settings.training,
            batching=settings.batching,
            model=ModelActorSettings(sync_every_seconds=settings.sync.every_seconds),
            learning=settings.learning,
        )

    @property
    def snapshot_root(self) -> Path:
        return self.settings.shards.snapshots or self._state.path / "snapshots"

    def _start_serve(self) -> None:
        from ray import serve

        from serve_app.app import build_application

        http = self.settings.http
        port = http.port or free_port()
        serve.start(http_options={"host": http.host, "port": port, "access_log": False})
        self._serve_started = True
        application = build_application(
            endpoints=self.endpoints,
            model=self._plan().model,
            ranking=self.settings.training.model,
            feed=self.settings.feed,
            worker_roles=self._actors.roles(),
            num_replicas=http.replicas,
            max_ongoing_requests=http.max_ongoing_requests,
            max_queued_requests=http.max_queued_requests,
        )
        serve.run(application, name="foryou", route_prefix="/")
        self.http_url = f"http://{LOOPBACK if http.host == '0.0.0.0' else http.host}:{port}"

    def stop(self) -> None:
        """Stop what was started, in the reverse order. Safe to call twice."""
        started = time.monotonic()
        with _captured_prints():
            self._stop_everything()
        logger.info("stopped in %.1f s", time.monotonic() - started)

    def _stop_everything(self) -> None:
        if self._serve_started:
            from ray import serve

            serve.shutdown()
            self._serve_started = False
        if self._actors is not None:
            self._actors.stop()
            self._actors = None
        if self._ray_started:
            stop_ray()
            self._ray_started = False
        if self._services is not None:
            self._services.stop()
            self._services = None
        self._state.release()


@contextlib.contextmanager
def _captured_prints() -> Iterator[None]:
    """Keep from the terminal what Ray prints of actors that we end ourselves; it goes to the log instead."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield
    finally:
        if printed.getvalue():
            logger.debug("while stopping: %s", printed.getvalue())
