"""A whole system on one machine or a cluster: services, Ray, actors, Serve; stopped as clean as started."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from actors.connections import EndpointSettings
from foryou.local_services import LOOPBACK, LocalServices, RunningSystem, StateFolder, free_port
from foryou.ray_session import captured_prints, ray_session
from foryou.running_endpoints import endpoints_of
from foryou.settings import SystemSettings
from foryou.system_plan import (
    cluster_plan,
    feed_application,
    prepare_services,
    snapshot_root,
)

if TYPE_CHECKING:  # Serve reads its flags when imported, so nothing may import it before they are set
    from actors.cluster import ClusterPlan, SystemActors


class System:
    """Use as a context manager. `say` is told each step as it begins, for whoever shows progress."""

    def __init__(self, settings: SystemSettings, say: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self._say = say
        self._state = StateFolder(settings.services.state)
        self._resources = contextlib.ExitStack()
        self.http_url = ""
        self.endpoints: EndpointSettings
        self.actors: SystemActors

    def __enter__(self) -> System:
        with contextlib.ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop what was started, in the reverse order. Safe to call twice."""
        with captured_prints():
            self._resources.close()

    @property
    def snapshot_root(self) -> Path | str:
        """The folder or URI of this namespace's snapshots."""
        return snapshot_root(self.settings)

    def _start(self, resources: contextlib.ExitStack) -> None:
        services = self.settings.services
        resources.enter_context(self._state)
        self._say("NATS and Valkey")
        local = resources.enter_context(
            LocalServices(self._state, services.nats_url, services.store_url, services.nats_sync)
        )
        self.endpoints = endpoints_of(self.settings, local.nats_url, local.store_url)
        records = asyncio.run(prepare_services(self.settings, self.endpoints))
        self._say("Ray")
        ray_address = resources.enter_context(ray_session(self.settings))
        self._say("joiner, learner, shards, model actor")
        from actors.cluster import start_actors

        plan = cluster_plan(self.settings, self.endpoints, detached=False, records=records)
        self.actors = start_actors(plan)
        resources.callback(self.actors.stop)
        self._say("Ray Serve")
        self._start_serve(plan, resources)
        self._state.announce(
            RunningSystem(os.getpid(), self.http_url, local.nats_url, local.store_url, ray_address)
        )

    def _start_serve(self, plan: ClusterPlan, resources: contextlib.ExitStack) -> None:
        from ray import serve

        http = self.settings.http
        port = http.port or free_port()
        serve.start(http_options={"host": http.host, "port": port, "access_log": False})
        resources.callback(serve.shutdown)
        application = feed_application(self.settings, plan, self.actors.roles())
        serve.run(application, name="foryou", route_prefix="/")
        self.http_url = f"http://{LOOPBACK if http.host == '0.0.0.0' else http.host}:{port}"
