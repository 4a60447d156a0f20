"""`foryou scale replicas N`: deploy what is deployed, with another number of serving replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foryou.deploy_command import run_deploy_command
from foryou.deployment import (
    DeploymentError,
    check_for_a_cluster,
    read_deployments,
    settings_to_return_to,
)
from foryou.deployment_log import Deployment
from foryou.settings import SystemSettings, with_changes


def settings_with_replicas(
    deployments: list[Deployment], present: SystemSettings, number: int
) -> SystemSettings:
    """Return the settings of the newest deployment with so many replicas. Raises DeploymentError."""
    if number < 1:
        raise DeploymentError(f"{number} replicas: one at least must serve")
    if not deployments:
        raise DeploymentError("nothing is deployed yet: `foryou deploy` takes the number from http.replicas")
    _, running = settings_to_return_to(deployments, present, deployments[-1].number)
    most = running.http.max_replicas
    if most is not None and number > most:
        raise DeploymentError(f"{number} replicas: http.max_replicas is {most}")
    return with_changes(running, {"http": {"replicas": number}})


def run_scale_replicas(
    settings: SystemSettings, number: int, *, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Set the number (the least, where it follows the load) and return a flat report. Actors are left alone.

    Raises DeploymentError; the cluster is the one at RAY_ADDRESS.
    """
    deployments = read_deployments(check_for_a_cluster(settings))
    changed = settings_with_replicas(deployments, settings, number)
    return {"replicas": number} | run_deploy_command(changed, say=say)
