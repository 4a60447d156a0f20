"""Collisionless tables, optimizers, shards, routing and snapshots: pure numpy and numba."""
