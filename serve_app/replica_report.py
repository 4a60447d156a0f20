"""What a replica says of itself: whether it can serve, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from serve_app.serving_models import ServingModels


def health_report(
    models: ServingModels,
    workers: Mapping[str, Any],
    now: float,
    stale_after_seconds: float,
    store_problem: str | None = None,
) -> dict[str, Any]:
    """Say whether this replica can serve; a stale model is a warning, since it serves on.

    workers: what each part last said of itself, by role. now: epoch seconds. store_problem: why feeds are
    made without the store.
    """
    reasons, warnings = [], []
    replica, follower = models.production.replica, models.production.follower
    if replica.version is None:
        reasons.append("no version of the model has arrived yet")
    elif now - replica.as_of > stale_after_seconds:
        warnings.append(f"the model is {now - replica.as_of:.0f} s old")
    if follower is not None and follower.last_error is not None:
        warnings.append(f"following the model fails: {follower.last_error}")
    if store_problem is not None:
        warnings.append(f"feeds are made of what is remembered, the store is away: {store_problem}")
    for role, worker in workers.items():
        if not worker["running"]:
            warnings.append(f"{role} is down: {worker['failure'] or 'it has ended'}")
        elif worker["failure"]:
            warnings.append(f"{role} does not get on: {worker['failure']}")
    return {"live": True, "ready": not reasons, "reasons": reasons, "warnings": warnings}


def status_report(models: ServingModels, workers: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return plain facts for people: versions of the models, positions by partition, sizes."""
    replica = models.production.replica
    version = replica.version
    return {
        "model": {
            "id": replica.model_id,
            "version": None if version is None else str(version),
            "lineage": None if version is None else version.lineage,
            "counter": None if version is None else version.counter,
            "age_seconds": None if version is None else round(max(0.0, now - replica.as_of), 3),
        },
        "models": {
            name: {
                "version": None if model.replica.version is None else str(model.replica.version),
                "age_seconds": round(max(0.0, now - model.replica.as_of), 3) if model.is_ready else None,
            }
            for name, model in models.at_hand().items()
        },
        "experiments": models.experiments(),
        "partitions": {
            str(partition): asdict(position) for partition, position in sorted(replica.positions.items())
        },
        "replica": replica.statistics(),
        "workers": dict(workers),
    }
