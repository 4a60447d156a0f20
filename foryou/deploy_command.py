"""`foryou deploy`: put settings and code into a cluster, or go back to those of before."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from foryou.deployment import (
    DeploymentError,
    bring_up,
    check_for_a_cluster,
    read_deployments,
    settings_to_return_to,
    wait_for_nodes,
)
from foryou.deployment_log import code_digest
from foryou.ray_session import ray_session
from foryou.settings import SystemSettings


def run_deploy_command(
    settings: SystemSettings,
    *,
    rollback: bool = False,
    to: int | None = None,
    wait_seconds: float = 600.0,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Deploy, and return a flat report. to: number of the deployment to go back to, with `rollback`.

    Raises DeploymentError; the cluster is the one at RAY_ADDRESS.
    """
    endpoints = check_for_a_cluster(settings)
    if not os.environ.get("RAY_ADDRESS"):
        raise DeploymentError(
            "RAY_ADDRESS is not set: say where the cluster's head is (`foryou up` needs none)"
        )
    former = None
    if rollback:
        former, settings = settings_to_return_to(read_deployments(endpoints), settings, to)
    started = time.monotonic()
    with ray_session(settings):
        from ray import serve

        say("nodes")
        wait_for_nodes(settings, wait_seconds)
        deployment, application, restarted = bring_up(
            settings, say=say, rolled_back_to=None if former is None else former.number
        )
        say("Ray Serve")
        http = {"host": settings.http.host, "port": settings.http.port, "access_log": False}
        serve.start(proxy_location="EveryNode", http_options=http)
        serve.run(application, name="foryou", route_prefix="/")
    report: dict[str, Any] = {
        "deployment": deployment.number,
        "code": deployment.code,
        "actors_restarted": restarted,
        "seconds": round(time.monotonic() - started, 1),
    }
    if former is not None:
        report["rolled_back_to"] = former.number
        if former.code != code_digest():
            report["code_of_then"] = former.code
    return report
