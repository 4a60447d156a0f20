"""What replicas tell the actor of models each second: how each model ranked, and of themselves."""

from __future__ import annotations

REPLICA_PULSE = "@replica"
"""Where a replica speaks of itself; no model's name has an @."""
