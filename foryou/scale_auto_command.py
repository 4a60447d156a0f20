"""`foryou scale auto`: let the number of shards follow their bytes, and say if the learner keeps pace.

Replicas follow their requests by Serve (`http.max_replicas`), nodes follow the parts by Ray's autoscaler.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from foryou.client import ApiError
from monitoring.scaling_policy import ScalingPolicy, ScalingSettings, load_of_stream

_CATCH_UP_SECONDS = 60.0


class Statuses(Protocol):
    """What is asked: `foryou.client.Client`, or a test's own."""

    def status(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Load:
    """examples: counted by joiner and learner since each began. waiting: FEED messages joined and not learned
    yet."""

    shards: int
    shard_bytes: float
    joined_examples: int
    learned_examples: int
    waiting: int


def load_of(status: Mapping[str, Any]) -> Load:
    """Read one `/v1/status`."""
    workers: Mapping[str, Any] = status["workers"]
    shards = [worker for role, worker in workers.items() if role.startswith("shard-") and "groups" in worker]
    tables = [
        table for shard in shards for group in shard["groups"].values() for table in group["tables"].values()
    ]
    joiners = [worker for role, worker in workers.items() if role.partition("+")[0] == "joiner"]
    learners = [worker for role, worker in workers.items() if role.partition("+")[0] == "learner"]
    joined = {
        partition: position
        for joiner in joiners
        for partition, position in joiner.get("positions", {}).items()
    }
    learned = status["partitions"]
    return Load(
        shards=len(shards),
        shard_bytes=float(sum(table["bytes"] for table in tables)),
        joined_examples=sum(int(joiner.get("examples", 0)) for joiner in joiners),
        learned_examples=sum(int(learner.get("examples", 0)) for learner in learners),
        waiting=sum(
            max(0, int(position) - int(learned.get(partition, {}).get("feed", 0)))
            for partition, position in joined.items()
        ),
    )


def run_scale_auto(
    system: Statuses,
    scale: Callable[[int], Any],
    shards: ScalingSettings,
    *,
    seconds: float | None,
    every_seconds: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Follow the load and return a flat report at the end. scale: sets the number of shards and waits for it.

    shards: `each` in bytes. seconds: None goes on until it is interrupted. A system that is silent for a
    while is asked again; one that is so at first raises what failed.
    """
    policy = ScalingPolicy(shards)
    started = clock()
    changes = 0
    load = load_of(system.status())
    lag_rate, before, asked = 0.0, load, started
    while seconds is None or clock() - started < seconds:
        wanted = policy.decide(clock(), load.shard_bytes, load.shards) if load.shards else load.shards
        if wanted != load.shards:
            say(f"{load.shards} shards hold {load.shard_bytes / 1e9:.2f} GB: making it {wanted}")
            scale(wanted)
            changes += 1
        sleep(every_seconds)
        try:
            now = load_of(system.status())
        except (ApiError, httpx.HTTPError) as error:
            say(f"no answer, asking again: {error}")
            continue
        before, load, last, asked = load, now, asked, clock()
        come = max(0, load.joined_examples - before.joined_examples) / max(asked - last, 1e-9)
        done = max(0, load.learned_examples - before.learned_examples) / max(asked - last, 1e-9)
        needed = load_of_stream(come, load.waiting, _CATCH_UP_SECONDS)
        lag_rate = needed / done if done else float(load.waiting > 0)
        say(f"{load.shards} shards, {load.shard_bytes / 1e9:.2f} GB; {load.waiting} messages wait")
    return {
        "shards": load.shards,
        "shard_gigabytes": load.shard_bytes / 1e9,
        "changes": changes,
        "waiting": load.waiting,
        "learner_load": round(lag_rate, 3),
        "learner_keeps_pace": lag_rate <= 1.0 + shards.tolerance,
    }
