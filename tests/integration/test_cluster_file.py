"""The cluster files are what Ray's own launcher accepts, and their scripts start what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from foryou.local_services import free_port

ROOT = Path(__file__).parents[2]
CLUSTERS = ROOT / "deploy" / "clusters"
FILES = [ROOT / "cluster.yaml", *sorted(CLUSTERS.glob("*.yaml"))]

Config = dict[str, Any]


def read(path: Path) -> Config:
    config: Config = yaml.safe_load(path.read_text())
    return config


@pytest.fixture(scope="module")
def azure() -> Config:
    return read(ROOT / "cluster.yaml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_passes_rays_schema_as_the_launcher_fills_it_in(path: Path) -> None:
    prepared = prepare_config(read(path))
    validate_config(prepared)
    assert prepared["head_node_type"] in prepared["available_node_types"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_node_is_started_by_the_one_script_that_knows_the_flags(path: Path) -> None:
    config = read(path)
    for kind in ("head", "worker"):
        stop, start = config[f"{kind}_start_ray_commands"]
        assert stop.endswith("ray stop")
        assert f"deploy/clusters/start_node.sh {kind}" in start


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_secrets_come_from_the_operators_folder_and_not_from_the_file(path: Path) -> None:
    assert "~/.config/foryou" in read(path)["file_mounts"].values()
    assert not any(word in path.read_text().lower() for word in ("password:", "token:", "secret:"))


@pytest.mark.parametrize("role", ["learner", "shard", "serving"])
def test_each_part_has_a_node_type_that_can_grow(azure: Config, role: str) -> None:
    node_type = azure["available_node_types"][role]
    assert node_type["resources"][role] >= 1
    assert node_type["max_workers"] > node_type["min_workers"]


def test_the_node_types_at_their_most_fit_the_cluster(azure: Config) -> None:
    types = azure["available_node_types"].values()
    assert sum(node_type.get("min_workers", 0) for node_type in types) <= azure["max_workers"]


class Node:
    """A home folder and a `ray` that only says how it was called."""

    def __init__(self, home: Path, environment: str = "") -> None:
        self.home = home
        secrets = home / ".config" / "foryou"
        secrets.mkdir(parents=True)
        (secrets / "environment").write_text(environment)
        (secrets / "auth_token").write_text("a-token")
        self.ray = home / "bin" / "ray"
        self.ray.parent.mkdir()
        self.ray.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\nenv\n')
        self.ray.chmod(0o755)

    def start(self, *arguments: str, **variables: str) -> list[str]:
        """Run start_node.sh and return the words and the variables that `ray` got."""
        finished = self.run("start_node.sh", *arguments, **variables)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout.splitlines()

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "RAY": str(self.ray),
            "ROLES_FILE": str(self.home / "roles"),
            **variables,
        }
        return subprocess.run(
            [CLUSTERS / script, *arguments], env=environment, capture_output=True, text=True, timeout=30
        )


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, "RAY_REDIS_ADDRESS=store:6380\nRAY_REDIS_PASSWORD=hidden\n")


def test_every_node_starts_with_the_serve_flags_and_the_token_off_the_stores_port(node: Node) -> None:
    for said in (node.start("head"), node.start("worker", RAY_HEAD_IP="192.0.2.10")):
        assert said[0] == "start"
        assert {
            "RAY_SERVE_ENABLE_HA_PROXY=1",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED=1",
            "RAY_worker_niceness=0",
            "RAY_max_direct_call_object_size=1048576",
            "RAY_AUTH_MODE=token",
            f"RAY_AUTH_TOKEN_PATH={node.home}/.config/foryou/auth_token",
        } <= set(said)
        assert not any("6379" in word for word in said)


def test_the_head_keeps_its_tables_in_the_store(node: Node) -> None:
    said = node.start("head")
    assert {"--head", "--port=6390", "--redis-password=hidden", "RAY_REDIS_ADDRESS=store:6380"} <= set(said)
    assert "RAY_external_storage_namespace=foryou" in said


def test_a_head_without_a_store_says_what_its_death_costs(tmp_path: Path) -> None:
    finished = Node(tmp_path).run("start_node.sh", "head")
    assert finished.returncode == 0
    assert "RAY_REDIS_ADDRESS is not set" in finished.stderr
    assert "--redis-password" not in finished.stdout


def test_a_machine_of_ones_own_bears_the_roles_it_is_given(node: Node) -> None:
    worker = node.start("worker", "learner", "shard", RAY_HEAD_IP="192.0.2.10")
    assert '--resources={"learner": 1, "shard": 1}' in worker
    assert "--address=192.0.2.10:6390" in worker
    (node.home / "roles").write_text("serving\n")
    assert '--resources={"serving": 1}' in node.start("worker", "learner", RAY_HEAD_IP="192.0.2.10")


def test_a_node_of_a_cloud_leaves_its_resources_to_the_launcher(node: Node) -> None:
    assert not any("--resources" in word for word in node.start("worker", RAY_HEAD_IP="192.0.2.10"))


def test_a_worker_that_knows_no_head_does_not_start(node: Node) -> None:
    finished = node.run("start_node.sh", "worker")
    assert finished.returncode != 0
    assert "RAY_HEAD_IP" in finished.stderr


def test_a_command_on_the_head_gets_the_addresses_of_the_services_there(tmp_path: Path) -> None:
    node = Node(tmp_path, "SERVICES_ON_HEAD=1\nNATS_TOKEN=nats-secret\nSTORE_PASSWORD=store-secret\n")
    foryou = node.ray.with_name("foryou")
    foryou.write_text('#!/bin/sh\necho "$@"\nenv\n')
    foryou.chmod(0o755)
    said = node.run("foryou.sh", "deploy", HEAD_IP="192.0.2.10").stdout.splitlines()
    assert said[0] == "deploy"
    assert {
        "FORYOU_SERVICES__NATS_URL=nats://nats-secret@192.0.2.10:4222",
        "FORYOU_SERVICES__STORE_URL=redis://:store-secret@192.0.2.10:6379/0",
        "FORYOU_HTTP__HOST=0.0.0.0",
        "FORYOU_HTTP__REPLICAS=2",
        "FORYOU_PLACEMENT__SHARD=shard",
        "RAY_ADDRESS=127.0.0.1:6390",
    } <= set(said)


def test_a_command_without_broker_or_store_is_refused(tmp_path: Path) -> None:
    finished = Node(tmp_path).run("foryou.sh", "deploy")
    assert finished.returncode != 0
    assert "FORYOU_SERVICES__NATS_URL" in finished.stderr


def test_services_on_the_head_ask_for_their_secrets_and_start_once(tmp_path: Path) -> None:
    node = Node(tmp_path)
    refused = node.run("start_services.sh")
    assert refused.returncode != 0
    assert "NATS_TOKEN" in refused.stderr
    store_port = free_port()
    variables = {
        "NATS_TOKEN": "nats-secret",
        "STORE_PASSWORD": "store-secret",
        "NATS_PORT": str(free_port()),
        "STORE_PORT": str(store_port),
        "SERVICES_ADDRESS": "127.0.0.1",
        "RAY": str(Path(sys.executable).with_name("ray")),
    }
    pids = {}
    try:
        for _ in range(2):
            assert node.run("start_services.sh", **variables).returncode == 0
            started = {
                name: (node.home / ".foryou-services" / name / "pid").read_text().strip()
                for name in ("nats", "valkey")
            }
            assert pids in ({}, started)
            pids = started
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 100)
        errors = [redis.exceptions.ConnectionError]
        connection = {"port": store_port, "retry": retry, "retry_on_error": errors}
        assert redis.Redis(password="store-secret", **connection).ping()
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(**connection).ping()
    finally:
        processes = [psutil.Process(int(pid)) for pid in pids.values()]
        for process in processes:
            process.terminate()
        psutil.wait_procs(processes, timeout=10)


def test_the_cluster_at_its_least_has_the_nodes_that_the_settings_ask_for(azure: Config) -> None:
    from foryou.deployment import missing_nodes
    from foryou.settings import load_settings

    said = (CLUSTERS / "foryou.sh").read_text()
    environment = dict(re.findall(r'export (FORYOU_\w+)="\$\{\1:-(\w+)\}"', said))
    settings = load_settings(environment=environment)
    there: dict[str, float] = {}
    for node_type in azure["available_node_types"].values():
        for resource, amount in node_type["resources"].items():
            there[resource] = there.get(resource, 0) + amount * node_type.get("min_workers", 1)
    assert settings.placement.shard == "shard"
    assert not missing_nodes(settings.placement, settings.shards.count, settings.http.replicas, there)
