"""`foryou chaos`: schedules of faults on a whole system, one cluster for all of them, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foryou.kept_server import LOOPBACK
from foryou.local_services import LocalServices, StateFolder, free_port
from foryou.ray_session import captured_prints, ray_session
from foryou.settings import SystemSettings
from simulations.cut_proxy import CutProxy

if TYPE_CHECKING:  # Serve reads its flags when imported, so nothing may import it before they are set
    from actors.cluster import ClusterPlan, SystemActors
    from simulations.chaos import CleanRun, ScheduleResult
    from simulations.chaos_faults import Moment
    from simulations.chaos_stream import ChaosStream

logger = logging.getLogger(__name__)

_NUM_MESSAGES = 80
_NUM_REPLICAS = 2
_NUM_SHARDS = 2
_SNAPSHOT_SECONDS = 1.0


def run_chaos_command(
    settings: SystemSettings,
    *,
    schedules: int,
    seed: int,
    first: int = 0,
    num_messages: int = _NUM_MESSAGES,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run schedules `first`, `first` + 1, ... and return the report.

    Local services of its own: an operator's are not to be killed. num_messages: of the stream, ten a second.
    say: hears of each schedule and its end.
    """
    from simulations.chaos_faults import draw_schedule
    from simulations.chaos_stream import ChaosStream

    results: dict[int, ScheduleResult] = {}
    with _cluster(settings) as cluster:
        clean = cluster.clean_run(ChaosStream(num_messages, seed))
        for number in range(first, first + schedules):
            moments = draw_schedule(seed, number, num_messages)
            say(f"seed {seed}, schedule {number}: {', '.join(moment.kind for moment in moments)}")
            began = time.monotonic()
            results[number] = result = cluster.run(number, clean, moments)
            say(_told(result, time.monotonic() - began))
    return _report(results, seed, clean.model.clean_auc)


@dataclass(frozen=True, slots=True)
class _Cluster:
    """One Ray, Serve, NATS and Valkey for all schedules."""

    settings: SystemSettings
    folder: Path
    local: LocalServices
    proxies: Mapping[str, CutProxy]
    http_port: int

    def clean_run(self, stream: ChaosStream) -> CleanRun:
        from simulations.chaos import CleanRun

        return CleanRun.of(stream, self.settings.joiner, self.settings.training)

    def run(self, number: int, clean: CleanRun, moments: list[Moment]) -> ScheduleResult:
        from actors.names import Namespace
        from simulations.chaos import ScheduleResult, namespace_running, run_schedule
        from simulations.chaos_injection import FaultInjector

        plan = self._plan(f"chaos-{number}")
        injector = FaultInjector(Namespace(plan.endpoints.namespace), self._server_pids, self.proxies)
        with namespace_running(plan) as actors, self._served(plan, actors) as base_url:
            try:
                return asyncio.run(run_schedule(plan, base_url, clean, moments, injector))
            except Exception as error:  # the other schedules go on, and this one did not hold
                logger.exception("schedule %d", number)
                return ScheduleResult(different=[f"{type(error).__name__}: {error}"])

    def _server_pids(self) -> dict[str, int]:
        return {name: server.pid for name, server in self.local.servers.items() if server.pid is not None}

    def _plan(self, namespace: str) -> ClusterPlan:
        from actors.cluster import ClusterPlan
        from actors.connections import EndpointSettings
        from simulations.chaos_model import BATCHING
        from simulations.chaos_stream import NUM_PARTITIONS

        return ClusterPlan(
            endpoints=EndpointSettings(
                nats_url=f"nats://{LOOPBACK}:{self.proxies['nats'].port}",
                store_url=f"redis://{LOOPBACK}:{self.proxies['valkey'].port}/0",
                namespace=namespace,
                num_partitions=NUM_PARTITIONS,
            ),
            snapshot_root=self.folder / "snapshots" / namespace,
            num_shards=_NUM_SHARDS,
            snapshot_every_seconds=_SNAPSHOT_SECONDS,
            joiner=self.settings.joiner,
            training=self.settings.training,
            batching=BATCHING,
        )

    @contextlib.contextmanager
    def _served(self, plan: ClusterPlan, actors: SystemActors) -> Iterator[str]:
        from ray import serve

        from serve_app.app import build_application

        name = plan.endpoints.namespace
        application = build_application(
            endpoints=plan.endpoints,
            model=plan.model,
            ranking=plan.training.model,
            feed=self.settings.feed,
            worker_roles=actors.roles(),
            num_replicas=_NUM_REPLICAS,
        )
        serve.run(application, name=name, route_prefix=f"/{name}")
        try:
            yield f"http://{LOOPBACK}:{self.http_port}/{name}"
        finally:
            serve.delete(name)


@contextlib.contextmanager
def _cluster(settings: SystemSettings) -> Iterator[_Cluster]:
    port = free_port()
    with contextlib.ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="foryou-chaos-")))
        state = resources.enter_context(StateFolder(folder))
        local = resources.enter_context(LocalServices(state, None, None, settings.services.nats_sync))
        proxies = {
            name: resources.enter_context(CutProxy(server.port)) for name, server in local.servers.items()
        }
        resources.enter_context(captured_prints())
        resources.enter_context(ray_session(settings))
        from ray import serve

        serve.start(http_options={"host": LOOPBACK, "port": port, "access_log": False})
        resources.callback(serve.shutdown)
        yield _Cluster(settings, folder, local, proxies, port)


def _told(result: ScheduleResult, seconds: float) -> str:
    lines = [
        f"  {'equal' if not result.different else 'DIFFERENT'} after {seconds:.0f} s, AUC {result.auc:.4f}"
    ]
    lines += [f"  {seconds:5.1f} s to recover from {kind}" for kind, seconds in result.recoveries]
    lines += [f"  ! {line}" for line in (*result.different, *result.failed_requests)]
    return "\n".join(lines)


def _report(results: Mapping[int, ScheduleResult], seed: int, clean_auc: float) -> dict[str, Any]:
    measured = [result.auc for result in results.values() if not math.isnan(result.auc)]
    by_kind: dict[str, list[float]] = defaultdict(list)
    for result in results.values():
        for kind, seconds in result.recoveries:
            by_kind[kind].append(seconds)
    return {
        "schedules": len(results),
        "equal": sum(not result.different for result in results.values()),
        "failed_requests": sum(len(result.failed_requests) for result in results.values()),
        "requests": sum(result.num_requests for result in results.values()),
        "retried_requests": sum(result.num_retried for result in results.values()),
        "auc_clean": clean_auc,
        "auc_difference": max((abs(auc - clean_auc) for auc in measured), default=None),
        "recovery_s": {
            kind: {
                "times": len(seconds),
                "median": round(statistics.median(seconds), 2),
                "worst": round(max(seconds), 2),
            }
            for kind, seconds in sorted(by_kind.items())
        },
        "seed": seed,
        "problems": {
            str(number): asdict(result)["different"] + result.failed_requests
            for number, result in results.items()
            if result.different or result.failed_requests
        },
    }
