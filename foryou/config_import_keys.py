"""What each key of the specification's TOML (its Azure roadmap) is here: a setting, or what stands for it.

One table, walked by the import, by its tests and by the tests of `deploy/azure/README.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ROOT = "recommender_system"
_UNIT_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
_EVENT_SECONDS = 0.02
_CHANGE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Setting:
    """name: of the setting, its sections before dots. convert: from the file's value; raises ValueError."""

    name: str
    convert: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Unused:
    """reason: why no setting comes of the key, and where what it wants is decided instead."""

    reason: str


def seconds_of(text: Any) -> float:
    """Return the seconds of "7 days", "per minute" or "every 30 seconds". Raises ValueError."""
    match = re.fullmatch(r"(?:per|every)?\s*(\d+(?:\.\d+)?)?\s*([a-z]+?)s?", str(text).strip().lower())
    if match is None or match[2] not in _UNIT_SECONDS:
        raise ValueError(f"{text!r} is no span of time; write it as '7 days' or 'per minute'")
    return float(match[1] or 1) * _UNIT_SECONDS[match[2]]


def wait_of_trigger(text: Any) -> float:
    """Return how long a mini-batch may wait: per event means at once, as far as batches allow."""
    return _EVENT_SECONDS if str(text).strip().lower() == "per event" else seconds_of(text)


def sync_of_change(value: Any) -> float | None:
    """Return the pace of a sync that carries only what changed; None leaves it to the time trigger."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return _CHANGE_SECONDS if value else None


def namespace_of(text: Any) -> str:
    """Return a name that streams and keys can carry."""
    name = re.sub(r"[^a-z0-9_-]+", "-", str(text).lower()).strip("-")[:40]
    if not name:
        raise ValueError(f"{text!r} holds no letter that a namespace may have")
    return name


def number_of(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    return value


_DESCRIPTION = Unused("describes, and sets nothing")
_NODES = "is a node type of cluster.yaml"

KEYS: dict[str, Setting | Unused] = {
    "streaming_engine.service": Unused("events go to NATS JetStream, at services.nats_url"),
    "streaming_engine.parameters.throughput_units": Unused(
        "NATS has no throughput units; the size of its machines decides, see docs/scaling.md"
    ),
    "streaming_engine.parameters.capture_enabled": Unused("the streams are archived to archive.uri, by hour"),
    "online_training.service": Unused("learners are Ray actors, placed by placement.learner"),
    "online_training.parameters.vm_size": Unused(f"{_NODES}: learner, vmSize"),
    "online_training.parameters.min_nodes": Unused(f"{_NODES}: learner, min_workers"),
    "online_training.parameters.max_nodes": Unused(f"{_NODES}: learner, max_workers"),
    "online_training.training_data_flow": Unused("learners read the stream EXAMPLES; there is no other way"),
    "online_training.training_trigger.frequency": Setting("batching.max_wait_seconds", wait_of_trigger),
    "online_training.training_trigger.method": Unused("learners follow a stream; nothing has to call them"),
    "data_storage.batch_data_storage": Unused("a URI of the account is shards.snapshots: abfs://..."),
    "data_storage.parameters.redundancy": Unused("is the storage account's own setting"),
    "data_storage.parameters.access_tier": Unused("is the storage account's own setting"),
    "model_serving.model_server": Unused("Ray Serve, on cluster.yaml's nodes or on AKS by deploy/kubernetes"),
    "model_serving.parameters.node_size": Unused(f"{_NODES}: serving, vmSize"),
    "model_serving.parameters.auto_scaling_enabled": Unused(
        "http.max_replicas above http.replicas lets replicas grow, max_workers of serving the nodes"
    ),
    "model_serving.sync_service": Unused("the model actor syncs; no service stands between"),
    "model_serving.sync_trigger.frequency": Unused(
        "a sync carries only what changed, so it need not wait; sync.every_seconds comes of run_on_change"
    ),
    "model_serving.sync_trigger.method": Unused("the model actor has its own tick"),
    "parameter_synchronization.parameter_server": Unused(
        "shards hold the parameters in memory and in snapshots; Cosmos DB is asked nothing"
    ),
    "parameter_synchronization.parameters.consistency_level": Unused(
        "a feed names its model version and watermark: who waits for it reads its own writes"
    ),
    "parameter_synchronization.parameters.multi_region_writes": Unused(
        "one region learns; others can serve from it, none writes"
    ),
    "user_data_management.feature_store": Unused("people's states are in the store, services.store_url"),
    "user_data_management.cache_service": Unused("its URL is services.store_url (appendonly must be on)"),
    "user_data_management.cache_parameters.sku": Unused("is the store's own setting"),
    "user_data_management.cache_parameters.shard_count": Unused(
        "one node of the store is spoken to; see docs/scaling.md for what one node carries"
    ),
    "hashing_and_embedding.hashing_function": Unused("embedding tables are always collisionless"),
    "hashing_and_embedding.embedding_storage": Unused("embeddings are in the shards' memory and snapshots"),
    "hashing_and_embedding.embedding_parameters.index_strategy": Unused(
        "ids belong to 256 fixed buckets, and buckets move between shards"
    ),
    "hashing_and_embedding.embedding_parameters.dynamic_scaling_enabled": Unused(
        "tables grow by themselves; `foryou scale shards` changes the number of shards"
    ),
    "batch_training.batch_processing_service": Unused("`foryou replay` of a log is the batch training"),
    "batch_training.batch_pipeline_service": Unused("`foryou replay` of a log is the batch training"),
    "batch_training.batch_pipeline_parameters.concurrency": Unused("a replay keeps the log's order"),
    "batch_training.batch_pipeline_parameters.pipeline_mode": Unused("a replay follows its data, always"),
    "partial_model_updates.update_service": Unused("the model actor sends what changed"),
    "partial_model_updates.update_parameters.time_trigger": Setting("sync.every_seconds", seconds_of),
    "partial_model_updates.update_parameters.run_on_change": Setting("sync.every_seconds", sync_of_change),
    "monitoring.logging_service": Unused("logs are Ray's; ship them with Azure Monitor's agent"),
    "monitoring.performance_service": Unused("/metrics is for Prometheus; Azure Monitor can scrape it"),
    "monitoring.monitoring_parameters.alert_rules": Unused("alert rules have defaults that watch metrics"),
    "monitoring.monitoring_parameters.auto_scale": Unused("http.max_replicas and cluster.yaml's max_workers"),
    "cicd.cicd_tool": Unused(".ci/run is called by whatever runs it"),
    "cicd.cicd_parameters.repo_type": Unused("the repository is git"),
    "cicd.cicd_parameters.build_pipeline_template": Unused(".ci/run and the Dockerfile are the build"),
    "cicd.cicd_parameters.release_pipeline_template": Unused("`foryou deploy`, or deploy/kubernetes"),
    "additional_services.data_ingestion.event_hub_namespace": Setting("namespace", namespace_of),
    "additional_services.data_ingestion.stream_analytics_job_config.query": Unused(
        "the joiner makes examples of events; it takes no query"
    ),
    "additional_services.data_ingestion.stream_analytics_job_config.sources": Unused("the stream FEED"),
    "additional_services.data_ingestion.stream_analytics_job_config.sinks": Unused(
        "the stream EXAMPLES, and people's states in the store"
    ),
    "additional_services.ai_model.architecture": Unused("one architecture, sized by training.model"),
    "additional_services.ai_model.training_parameters.learning_rate": Setting(
        "training.model.dense_learning_rate", number_of
    ),
    "additional_services.ai_model.training_parameters.batch_size": Setting("batching.max_rows", number_of),
    "additional_services.ai_model.training_parameters.epochs": Unused("each event is learned exactly once"),
    "additional_services.integration.message_bus_service": Unused("NATS JetStream carries all messages"),
    "additional_services.integration.message_bus_parameters.tier": Unused("is the broker's machines' size"),
    "additional_services.integration.message_bus_parameters.message_retention": Setting(
        "streams.max_age_seconds", seconds_of
    ),
    "additional_services.service_endpoints.api_gateway": Unused(
        "the API is plain HTTP; a gateway stands before it, deploy/azure tells how"
    ),
    "additional_services.service_endpoints.gateway_parameters.sku": Unused("is the gateway's own setting"),
    "additional_services.service_endpoints.gateway_parameters.rate_limit_by_key": Unused(
        "is the gateway's own policy; a replica sheds beyond http.max_queued_requests"
    ),
    "additional_services.service_endpoints.gateway_parameters.caching_enabled": Unused(
        "must stay off for /v1/feed: a feed that was cached is a feed that learned nothing"
    ),
    **{
        f"additional_services.descriptions.{name}": _DESCRIPTION
        for name in (
            "online_training",
            "model_serving",
            "data_storage",
            "parameter_synchronization",
            "user_data_management",
            "hashing_and_embedding",
            "batch_training",
            "partial_model_updates",
            "monitoring",
            "cicd",
        )
    },
}
"""By key, without the root table. Of two keys for one setting the later in this table decides, if it says."""
