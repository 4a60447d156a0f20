"""The cluster file is what Ray's own launcher accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_it_passes_rays_schema_as_the_launcher_fills_it_in(config: dict[str, Any]) -> None:
    validate_config(prepare_config(config))


def test_every_node_starts_ray_off_the_stores_port_with_the_serve_flags(config: dict[str, Any]) -> None:
    for commands in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        start = commands[-1]
        assert "RAY_SERVE_ENABLE_HA_PROXY=1" in start
        assert "RAY_SERVE_THROUGHPUT_OPTIMIZED=1" in start
        assert "6379" not in start


def test_each_part_has_a_node_type_that_can_grow(config: dict[str, Any]) -> None:
    for role in ("learner", "shard", "serving"):
        node_type = config["available_node_types"][role]
        assert node_type["resources"][role] >= 1
        assert node_type["max_workers"] > node_type["min_workers"]
