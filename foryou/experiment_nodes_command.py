"""`foryou experiment nodes`: a cluster of nodes on this machine, what befalls it, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.model_groups import FIRST_MODEL
from actors.names import LIVE_NAMESPACE, Namespace
from foryou.local_services import LocalServices, StateFolder
from foryou.node_cluster import HEAD, NodeCluster
from foryou.node_trial import WORKER_ROLES, NodeTrial, urls
from foryou.own_network import OwnNetwork
from foryou.settings import ENVIRONMENT_PREFIX, SystemSettings
from simulations.chaos_stream import contents, people
from simulations.feed_crowd import FeedCrowd
from simulations.kuairand import KuaiRandLog
from simulations.paced_log import PacedLog
from simulations.prefix_accounts import CleanPrefix, SystemPrefix

_NUM_PARTITIONS = 4
_PROBE_PARTITION = 3
"""Of those who ask for feeds: what they leave on FEED must not stand among what is accounted for."""
_ACCOUNTED = tuple(partition for partition in range(_NUM_PARTITIONS) if partition != _PROBE_PARTITION)
_WINDOW_ROWS = 64
_NUM_ASKING = 200
_NUM_CONTENTS = 3_000
_HTTP_PORT = 8000
_FIRST_FEED_SECONDS = 120.0


def run_experiment_nodes(
    settings: SystemSettings,
    *,
    path: Path,
    steps: Sequence[str],
    rows_per_second: float,
    limit: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the steps and return the report; must run `foryou.own_network.in_own_network`.

    path: of KuaiRand's files. What is left of the log after the steps is learned at full speed. Raises
    KuaiRandFormatError, NodeError, NoOwnNetworkError, TrialError.
    """
    log = KuaiRandLog(path, num_partitions=_NUM_PARTITIONS, window_rows=_WINDOW_ROWS, max_rows=limit)
    joiner = settings.joiner.model_copy(update={"num_partitions": _NUM_PARTITIONS})
    clean = CleanPrefix(joiner, _ACCOUNTED)
    report: dict[str, Any] = {"rows": len(log), "nodes": 3}
    with _cluster(settings, say) as (cluster, endpoints, folder):
        say("foryou deploy")
        report["deploy_s"] = cluster.command("deploy")["seconds"]
        asking = people((_PROBE_PARTITION,), _NUM_ASKING, "asking")
        crowd = FeedCrowd(lambda: urls(cluster.addresses(), _HTTP_PORT), asking, rate=1.0)
        began = time.monotonic()
        with crowd, PacedLog(endpoints, log, _ACCOUNTED, rows_per_second, clean.take) as paced:
            _wait_for_feeds(crowd)
            report["first_feed_s"] = round(time.monotonic() - began, 1)
            system = SystemPrefix(folder / "snapshots" / endpoints.namespace, FIRST_MODEL)
            trial = NodeTrial(cluster, endpoints, paced, crowd, clean, system, _HTTP_PORT, say)
            for step in steps:
                say(step)
                report[step] = trial.run(step)
                say(f"{step}: {report[step]}")
            say("the rest of the log")
            report["rest"] = trial.rest()
    told = [report[name] for name in (*steps, "rest")]
    report["equal"] = all(not step["different"] for step in told)
    report["failed"] = sum(step["failed"] for step in told)
    return report


@contextlib.contextmanager
def _cluster(
    settings: SystemSettings, say: Callable[[str], None]
) -> Iterator[tuple[NodeCluster, EndpointSettings, Path]]:
    """Start broker, store and three nodes."""
    with contextlib.ExitStack() as resources:
        temporary = tempfile.TemporaryDirectory(prefix="fy-", ignore_cleanup_errors=True)
        folder = Path(resources.enter_context(temporary))
        (folder / "services").mkdir()
        network = resources.enter_context(OwnNetwork())
        local = resources.enter_context(
            LocalServices(
                StateFolder(folder / "services"), None, None, settings.services.nats_sync, network.address
            )
        )
        endpoints = EndpointSettings(
            nats_url=local.nats_url,
            store_url=local.store_url,
            namespace=LIVE_NAMESPACE,
            num_partitions=_NUM_PARTITIONS,
        )
        asyncio.run(_fill_catalogue(endpoints))
        cluster = NodeCluster(network, folder, _environment(endpoints, folder))
        for name, roles in ((HEAD, (HEAD,)), ("a", WORKER_ROLES), ("b", WORKER_ROLES)):
            say(f"node {name} joined in {cluster.start(name, *roles):.1f} s")
        yield cluster, endpoints, folder


def _environment(endpoints: EndpointSettings, folder: Path) -> dict[str, str]:
    store = endpoints.store_url.removeprefix("redis://").partition("/")[0]
    ours = {
        "NUM_PARTITIONS": str(_NUM_PARTITIONS),
        "SERVICES__NATS_URL": endpoints.nats_url,
        "SERVICES__STORE_URL": endpoints.store_url,
        "HTTP__HOST": "0.0.0.0",
        "HTTP__PORT": str(_HTTP_PORT),
        "MODELS__HEALTH": "[]",  # else a model may go back to another: here one is followed to its end
        "HTTP__REPLICAS": "2",
        "STREAMS__MAX_BYTES": str(2**29),
        "STREAMS__MAX_DEAD_BYTES": str(2**22),
        "SHARDS__SNAPSHOTS": str(folder / "snapshots"),
        "SHARDS__SNAPSHOT_EVERY_SECONDS": "2",
        "PLACEMENT__SHARD": "shard",
        "PLACEMENT__SHARDS_PER_NODE": "4",
        "PLACEMENT__LEARNER": "learner",
        "PLACEMENT__WORKER": "worker",
        "PLACEMENT__SERVING": "serving",
    }
    return {f"{ENVIRONMENT_PREFIX}{name}": value for name, value in ours.items()} | {
        "RAY_REDIS_ADDRESS": store,
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_AUTH_MODE": "token",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
    }


async def _fill_catalogue(endpoints: EndpointSettings) -> None:
    """Enough that nobody who asks runs out of contents that were not served yet."""
    async with await Connections.open(endpoints, "node-trial") as connections:
        catalogue = Catalogue(connections.redis, Namespace(endpoints.namespace))
        await catalogue.put_many(contents("asked", _NUM_CONTENTS))


def _wait_for_feeds(crowd: FeedCrowd) -> None:
    deadline = time.monotonic() + _FIRST_FEED_SECONDS
    while not crowd.counts.seconds and time.monotonic() < deadline:
        time.sleep(0.1)
