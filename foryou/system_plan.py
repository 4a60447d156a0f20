"""What settings mean for a running system: its actors and its application. The one place where both are read.

`foryou up` runs them in its own Ray, `foryou deploy` in a cluster's, and Serve's own configuration files by
`foryou.serve_application`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actors.archived_trim import give_back_trimming
from actors.connections import Connections, EndpointSettings
from actors.model_groups import FIRST_MODEL, lineage_name
from actors.model_records import ModelRecords
from actors.model_registry_store import ModelRegistryStore
from actors.streams import ensure_streams
from foryou.settings import SystemSettings

if TYPE_CHECKING:  # Serve reads its flags when imported, so nothing may import it before they are set
    from ray import serve

    from actors.cluster import ClusterPlan


def snapshot_root(settings: SystemSettings) -> Path | str:
    """Return the folder or URI of this namespace's snapshots."""
    root = settings.shards.snapshots
    if root is not None and "://" in root:
        return f"{root.rstrip('/')}/{settings.namespace}"
    folder = settings.services.state / "snapshots" if root is None else Path(root)
    return folder.resolve() / settings.namespace


async def prepare_services(settings: SystemSettings, endpoints: EndpointSettings) -> ModelRecords:
    """Make what is not there yet, the streams and the registry of models; return what the registry says."""
    async with await Connections.open(endpoints, "foryou-prepare") as connections:
        await ensure_streams(connections.js, connections.namespace, settings.streams)
        if settings.archive.uri is None:
            await give_back_trimming(connections.js, connections.namespace)
        registry = ModelRegistryStore(connections.redis, connections.namespace, settings.models)
        return await registry.ensure(time.time())


def cluster_plan(
    settings: SystemSettings,
    endpoints: EndpointSettings,
    *,
    detached: bool,
    records: ModelRecords | None = None,
) -> ClusterPlan:
    """Return the actors to start. detached: they live until they are ended, and not with their starter.

    records: which model is production; left out, the first is, and another takes over once everything runs.
    """
    from actors.cluster import ClusterPlan
    from actors.model_actor import ModelActorSettings

    return ClusterPlan(
        endpoints=endpoints,
        snapshot_root=snapshot_root(settings),
        num_shards=settings.shards.count,
        snapshot_every_seconds=settings.shards.snapshot_every_seconds,
        snapshots_kept=settings.shards.snapshots_kept,
        joiner=settings.joiner,
        training=settings.training
        if records is None
        else records.training(records.production, settings.training),
        own_training=settings.training,
        models=settings.models,
        batching=settings.batching,
        model=ModelActorSettings(
            group=FIRST_MODEL if records is None else records.group(records.production),
            lineage=lineage_name(0) if records is None else records.lineage(records.production),
            sync_every_seconds=settings.sync.every_seconds,
        ),
        archive=settings.archive.resolved(),
        placement=settings.placement,
        learning=settings.learning,
        detached=detached,
    )


def feed_application(
    settings: SystemSettings, plan: ClusterPlan, worker_roles: Sequence[str], revision: str = ""
) -> serve.Application:
    """Return the application to run; its actors must be there. A new revision replaces all replicas."""
    from serve_app.app import build_application

    http = settings.http
    api = settings.feed.api
    access = api.access.model_copy(update={"is_loopback": http.is_loopback})
    feed = settings.feed.model_copy(update={"api": api.model_copy(update={"access": access})})
    return build_application(
        endpoints=plan.endpoints,
        model=plan.model,
        ranking=plan.training.model,
        training=settings.training,
        models=settings.models,
        feed=feed,
        worker_roles=worker_roles,
        num_replicas=http.replicas,
        max_replicas=http.max_replicas,
        max_ongoing_requests=http.max_ongoing_requests,
        max_queued_requests=http.max_queued_requests,
        placement=settings.placement.of_replica(),
        revision=revision,
    )
