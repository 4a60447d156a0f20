"""Does to the processes of a namespace what a fault says, and finds them: by actor, by replica, by server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import ray

from actors.names import RAY_NAMESPACE, Namespace
from simulations.chaos_faults import ACTORS, Fault
from simulations.cut_proxy import CutProxy

_SERVE_NAMESPACE = "serve"
_CONTROLLER = "SERVE_CONTROLLER_ACTOR"
_REPLICA = "SERVE_REPLICA::{application}#"
_FIND_SECONDS = 30.0
_ASK_SECONDS = 3.0


class FaultInjector:
    """server_pids: of NATS and Valkey now, by name. proxies: what lies between them and everybody."""

    def __init__(
        self,
        namespace: Namespace,
        server_pids: Callable[[], Mapping[str, int]],
        proxies: Mapping[str, CutProxy],
    ) -> None:
        self._namespace = namespace
        self._server_pids = server_pids
        self._proxies = proxies

    async def inject(self, fault: Fault) -> None:
        """Returns when the fault is over, which for a killed process is at once. Raises LookupError where
        the process does not come up, so that there is nothing to do it to."""
        if fault.action == "cut":
            proxy = self._proxies[fault.target]
            proxy.cut()
            await asyncio.sleep(fault.seconds)
            proxy.mend()
            return
        pid = await asyncio.to_thread(self._pid_of, fault.target)
        if fault.action == "kill":
            os.kill(pid, signal.SIGKILL)
        elif fault.action == "restart":
            os.kill(pid, signal.SIGTERM)
        else:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(fault.seconds)
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                return  # its supervisor has ended it meanwhile

    def _pid_of(self, target: str) -> int:
        """Ask until an answer comes: the process may be restarting of the fault before."""
        deadline = time.monotonic() + _FIND_SECONDS
        while True:
            pid = self._server_pids().get(target) if target in self._proxies else self._ask_actor(target)
            if pid is not None:
                return pid
            if time.monotonic() > deadline:
                raise LookupError(f"{target} did not come back in {_FIND_SECONDS:.0f} s")
            time.sleep(0.1)

    def _ask_actor(self, target: str) -> int | None:
        name, namespace = self._actor_of(target)
        if name is None:
            return None
        try:
            handle: Any = ray.get_actor(name, namespace=namespace)
            return int(ray.get(handle.__ray_call__.remote(_own_pid), timeout=_ASK_SECONDS))
        except (ValueError, ray.exceptions.RayError):
            return None

    def _actor_of(self, target: str) -> tuple[str | None, str]:
        if target in ACTORS:
            return self._namespace.actor(target), RAY_NAMESPACE
        if target == "controller":
            return _CONTROLLER, _SERVE_NAMESPACE
        prefix = _REPLICA.format(application=self._namespace.name)
        names = [actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)]
        return next((name for name in names if name.startswith(prefix)), None), _SERVE_NAMESPACE


def _own_pid(_: object) -> int:
    return os.getpid()
