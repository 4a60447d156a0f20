"""A process that stands still for good is ended and begun anew, and goes on where its positions say."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import ray

from actors.hung_actors import HungActors, RayWatchedActors
from actors.names import RAY_NAMESPACE, Namespace
from foryou.system import System

ROLE = "counter-writer"
PATIENCE_SECONDS = 3.0
DEADLINE_SECONDS = 60.0


class OnlyTheWriter(RayWatchedActors):
    def find(self) -> Mapping[str, Any]:
        return {role: handle for role, handle in super().find().items() if role == ROLE}


def pid_of(_: object) -> int:
    return os.getpid()


def test_a_writer_of_counters_that_hangs_is_begun_anew(system: System) -> None:
    namespace = Namespace(system.endpoints.namespace)
    writer: Any = ray.get_actor(namespace.actor(ROLE), namespace=RAY_NAMESPACE)
    hanging = ray.get(writer.__ray_call__.remote(pid_of))
    deadline = time.monotonic() + DEADLINE_SECONDS

    async def watch() -> None:
        hung = HungActors(OnlyTheWriter(namespace), PATIENCE_SECONDS)
        while ROLE not in hung.watched:
            assert await hung.check() == []
            await asyncio.sleep(0.05)
        os.kill(hanging, signal.SIGSTOP)
        while await hung.check() != [ROLE]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        hung.close()

    asyncio.run(watch())
    while True:
        try:
            assert ray.get(writer.__ray_call__.remote(pid_of)) != hanging
            assert ray.get(writer.status.remote())["running"]
            return
        except ray.exceptions.ActorUnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
