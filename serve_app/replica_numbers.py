"""How many replicas Ray Serve is to run, as options of a deployment."""

from __future__ import annotations

from typing import Any

_ONGOING = 16


def replica_numbers(least: int, most: int | None) -> dict[str, Any]:
    """Return the options of a fixed number of replicas, or of one that follows the load.

    A replica ranks in one thread, so requests under way beyond a few only wait: sixteen, a fifth of a
    second or so, are where another replica is worth its start.
    """
    if most is None or most <= least:
        return {"num_replicas": least}
    return {
        "autoscaling_config": {
            "min_replicas": least,
            "max_replicas": most,
            "target_ongoing_requests": _ONGOING,
        }
    }
