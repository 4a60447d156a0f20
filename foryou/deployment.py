"""A system that lives in a cluster and not in a command: actors that stay, replicas that roll over.

While actors are replaced, replicas serve on with the model they have and events wait in the stream; while
replicas are replaced, each old one serves until a new one does. Positions are with what was made of what was
read, so nothing is learned twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import ValidationError

from actors.archived_trim import give_back_trimming
from actors.connections import Connections, EndpointSettings
from actors.names import Namespace
from actors.placement import PlacementSettings
from actors.running_actors import find_actors, stop_actors
from actors.streams import ensure_streams
from foryou.deployment_log import (
    Deployment,
    DeploymentLog,
    code_digest,
    kept_settings,
    settings_to_keep,
    text_digest,
)
from foryou.running_endpoints import endpoints_of
from foryou.settings import SystemSettings
from foryou.system_plan import cluster_plan, feed_application, prepare_services

if TYPE_CHECKING:
    from ray import serve

_POLL_SECONDS = 1.0


class DeploymentError(Exception):
    """Settings that no cluster can run, a deployment to go back to that is not there, or missing nodes."""


def check_for_a_cluster(settings: SystemSettings) -> EndpointSettings:
    """Return the endpoints. Raises DeploymentError where services or snapshots would be one machine's own."""
    services = settings.services
    for name, url in (("nats_url", services.nats_url), ("store_url", services.store_url)):
        if url is None:
            raise DeploymentError(
                f"services.{name}: a cluster needs a server that all nodes reach; give its URL"
            )
    if settings.shards.snapshots is None:
        raise DeploymentError("shards.snapshots: a cluster needs a folder or URI that all shard nodes reach")
    assert services.nats_url is not None
    assert services.store_url is not None
    return endpoints_of(settings, services.nats_url, services.store_url)


def read_deployments(endpoints: EndpointSettings) -> list[Deployment]:
    async def read() -> list[Deployment]:
        async with await Connections.open(endpoints, "foryou-deploy") as connections:
            return await DeploymentLog(connections.redis, connections.namespace).read()

    return asyncio.run(read())


def settings_to_return_to(
    deployments: list[Deployment], present: SystemSettings, number: int | None
) -> tuple[Deployment, SystemSettings]:
    """Return a former deployment and its settings; number: None means the one before the newest.

    Raises DeploymentError where there is none, or where the code of now cannot read its settings.
    """
    if number is None:
        former = deployments[-2] if len(deployments) > 1 else None
    else:
        former = next((one for one in deployments if one.number == number), None)
    if former is None:
        known = ", ".join(str(one.number) for one in deployments) or "none"
        raise DeploymentError(f"there is no such deployment to go back to; kept are: {known}")
    try:
        return former, kept_settings(former.settings, present)
    except ValidationError as error:
        raise DeploymentError(
            f"the settings of deployment {former.number} are of other code: {error}"
        ) from error


def missing_nodes(
    placement: PlacementSettings, num_shards: int, num_replicas: int, there: dict[str, float]
) -> dict[str, float]:
    """Return how much of each kind of node is missing. there: what the cluster has of each resource."""
    wanted = {
        resource: amount
        for resource, amount in (
            (placement.worker, 1.0),
            (placement.learner, 1.0),
            (placement.shard, num_shards / placement.shards_per_node),
            (placement.serving, num_replicas / placement.replicas_per_node),
        )
        if resource is not None
    }
    lacks = {resource: amount - there.get(resource, 0.0) for resource, amount in wanted.items()}
    return {resource: amount for resource, amount in lacks.items() if amount > 1e-9}


def wait_for_nodes(settings: SystemSettings, seconds: float) -> None:
    """Wait until the cluster has the nodes that settings ask for. Raises DeploymentError: what is missing."""
    import ray

    deadline = time.monotonic() + seconds
    while True:
        missing = missing_nodes(
            settings.placement, settings.shards.count, settings.http.replicas, ray.cluster_resources()
        )
        if not missing:
            return
        if time.monotonic() > deadline:
            said = ", ".join(f"{amount:g} of {resource}" for resource, amount in missing.items())
            raise DeploymentError(f"the cluster lacks nodes: {said} (placement says what parts ask for)")
        time.sleep(_POLL_SECONDS)


def bring_up(
    settings: SystemSettings,
    *,
    say: Callable[[str], None] = lambda _: None,
    rolled_back_to: int | None = None,
    revision: str = "",
) -> tuple[Deployment, serve.Application, bool]:
    """Make the actors of a cluster be what the settings say, and return the application to run over them.

    This process must have joined the cluster. Actors that run by the same plan and code are left alone;
    others are stopped and started anew. revision: whatever makes the caller want other replicas. Returns also
    whether actors were started.
    """
    from actors.cluster import start_actors

    endpoints = check_for_a_cluster(settings)
    namespace = Namespace(endpoints.namespace)
    code = code_digest()
    # Of the settings alone: another model in production is no reason to start anew.
    planned = text_digest(cluster_plan(settings, endpoints, detached=True).model_dump_json() + code)
    records = asyncio.run(prepare_services(settings, endpoints))
    plan = cluster_plan(settings, endpoints, detached=True, records=records)
    deployments = read_deployments(endpoints)
    running = find_actors(namespace)
    is_same = bool(deployments) and deployments[-1].actors == planned and "joiner" in running
    if not is_same:
        if running:
            say("stopping the actors of before")
            stop_actors(namespace, running)
        say("joiner, learner, shards, model actor")
        start_actors(plan, one_by_one=bool(running))
    deployment = Deployment(
        number=deployments[-1].number + 1 if deployments else 1,
        created_at=time.time(),
        settings=settings_to_keep(settings),
        code=code,
        actors=planned,
        rolled_back_to=rolled_back_to,
    )
    asyncio.run(_record(endpoints, deployment))
    roles = list(find_actors(namespace))
    application = feed_application(settings, plan, roles, revision=f"{code} {revision}".strip())
    return deployment, application, not is_same


async def _prepare(endpoints: EndpointSettings, settings: SystemSettings) -> None:
    async with await Connections.open(endpoints, "foryou-deploy") as connections:
        await ensure_streams(connections.js, connections.namespace, settings.streams)
        if settings.archive.uri is None:
            await give_back_trimming(connections.js, connections.namespace)


async def _record(endpoints: EndpointSettings, deployment: Deployment) -> None:
    async with await Connections.open(endpoints, "foryou-deploy") as connections:
        await DeploymentLog(connections.redis, connections.namespace).append(deployment)
