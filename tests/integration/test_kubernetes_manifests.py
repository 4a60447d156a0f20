"""The manifests are what Kubernetes, Ray's autoscaler and Serve accept, and they fit each other."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import validate_config
from ray.serve.schema import ServeDeploySchema

from foryou.settings import SystemSettings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
FOREIGN = {"RayService", "Kustomization"}
Manifest = dict[str, Any]


def read(name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


MANIFESTS = [
    manifest
    for path in sorted(FOLDER.glob("*.yaml"))
    for manifest in read(path.name)
    if manifest.get("kind") not in {None, *FOREIGN}
]


@pytest.fixture(scope="module")
def ray_service() -> Manifest:
    (manifest,) = read("rayservice.yaml")
    return manifest


@pytest.fixture(scope="module")
def pod_templates(ray_service: Manifest) -> dict[str, Manifest]:
    cluster = ray_service["spec"]["rayClusterConfig"]
    templates = {group["groupName"]: group["template"] for group in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"]["template"], **templates}


@pytest.fixture(scope="module")
def settings() -> SystemSettings:
    (config_map,) = read("settings.yaml")
    return SystemSettings.model_validate(tomllib.loads(config_map["data"]["foryou.toml"]))


def validate(manifest: Manifest) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']}:{one['metadata']['name']}")
def test_a_manifest_passes_its_kinds_schema(manifest: Manifest) -> None:
    validate(manifest)


def test_the_schemas_refuse_an_unknown_field() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        validate({**MANIFESTS[0], "specs": {}})


@pytest.mark.parametrize("group", ["head", "learner", "shard", "serving"])
def test_every_pod_template_passes_and_runs_as_nobody_special(
    pod_templates: dict[str, Manifest], group: str
) -> None:
    template = pod_templates[group]
    validate({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": group}, "template": template})
    (container,) = template["spec"]["containers"]
    assert template["spec"]["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert {"RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED", "RAY_worker_niceness"} <= {
        variable["name"] for variable in container["env"]
    }


def test_rays_autoscaler_reads_the_cluster(ray_service: Manifest, settings: SystemSettings) -> None:
    cluster = {"metadata": ray_service["metadata"], "spec": ray_service["spec"]["rayClusterConfig"]}
    config = _derive_autoscaling_config_from_ray_cr(cluster)
    validate_config(config)
    types = config["available_node_types"]
    placement = settings.placement
    for group, resource in {
        "headgroup": placement.worker,
        "learner": placement.learner,
        "shard": placement.shard,
        "serving": placement.serving,
    }.items():
        assert types[group]["resources"][resource] == 1, "the settings ask for what the group has"
    assert types["shard"]["min_workers"] * placement.shards_per_node >= settings.shards.count
    assert types["serving"]["max_workers"] * placement.replicas_per_node >= (settings.http.max_replicas or 0)


def test_serve_accepts_the_application_and_listens_where_the_probes_ask(
    ray_service: Manifest, pod_templates: dict[str, Manifest], settings: SystemSettings
) -> None:
    config = ServeDeploySchema.model_validate(yaml.safe_load(ray_service["spec"]["serveConfigV2"]))
    assert config.proxy_location == "EveryNode"
    assert config.http_options.port == settings.http.port
    (application,) = config.applications
    assert application.route_prefix == "/"
    module, _, name = application.import_path.partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    (container,) = pod_templates["serving"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports[container["readinessProbe"]["httpGet"]["port"]] == settings.http.port


def test_the_head_comes_back_and_whoever_joins_holds_a_token(ray_service: Manifest) -> None:
    cluster = ray_service["spec"]["rayClusterConfig"]
    assert cluster["gcsFaultToleranceOptions"]["redisAddress"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert ray_service["spec"]["upgradeStrategy"] == {"type": "None"}


def test_budgets_cover_every_worker_group(ray_service: Manifest) -> None:
    groups = {group["groupName"] for group in ray_service["spec"]["rayClusterConfig"]["workerGroupSpecs"]}
    budgets = read("disruption-budgets.yaml")
    assert {budget["spec"]["selector"]["matchLabels"]["ray.io/group"] for budget in budgets} == groups


def test_the_broker_keeps_as_many_copies_as_the_streams_ask_for(settings: SystemSettings) -> None:
    (nats,) = read("nats-values.yaml")
    assert nats["config"]["cluster"]["replicas"] >= settings.streams.replicas
    assert nats["config"]["jetstream"]["fileStore"]["enabled"]


def test_the_store_keeps_what_it_acknowledged_and_drops_nothing() -> None:
    (valkey,) = read("valkey-values.yaml")
    assert "appendonly yes" in valkey["valkeyConfig"]
    assert "maxmemory-policy noeviction" in valkey["valkeyConfig"]
    assert valkey["dataStorage"]["enabled"]


def test_kustomize_finds_every_manifest_and_every_image(ray_service: Manifest) -> None:
    (kustomization,) = read("kustomization.yaml")
    listed = set(kustomization["resources"])
    holding = {path.name for path in FOLDER.glob("*.yaml") if "apiVersion" in path.read_text()}
    assert listed == holding - {"kustomization.yaml"}
    (fields,) = read("image-fields.yaml")
    assert len(fields["images"]) == 2
    assert all(field["kind"] == ray_service["kind"] for field in fields["images"])


def test_no_secret_stands_in_a_file() -> None:
    kinds = [manifest["kind"] for manifest in MANIFESTS]
    assert "Secret" not in kinds
