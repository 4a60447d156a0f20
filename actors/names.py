"""What things are called in the broker, the store and the cluster, one namespace apart from another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LIVE_NAMESPACE = "live"
RAY_NAMESPACE = "foryou"
"""Ray's own namespace: all of ours share it, their actors' names differ."""
WAITING_THREADS = "waiting"
"""Of an actor: calls that wait there, beside its own thread."""
_ALLOWED = re.compile(r"[a-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Namespace:
    """A world of its own: streams, keys and actors that share nothing with another namespace.

    Raises ValueError for a name that a subject or key could not carry.
    """

    name: str = LIVE_NAMESPACE

    def __post_init__(self) -> None:
        if not _ALLOWED.fullmatch(self.name):
            raise ValueError(f"namespace {self.name!r}: use 1 to 40 of a-z, 0-9, '-' and '_'")

    @property
    def feed_stream(self) -> str:
        return f"FEED-{self.name}"

    @property
    def examples_stream(self) -> str:
        return f"EXAMPLES-{self.name}"

    @property
    def dead_stream(self) -> str:
        return f"DEAD-{self.name}"

    def feed_subject(self, partition: int | str) -> str:
        return f"{self.name}.feed.{partition}"

    def examples_subject(self, partition: int | str) -> str:
        return f"{self.name}.examples.{partition}"

    def feed_subjects(self, partitions: Sequence[int], num_partitions: int) -> list[str]:
        """Name the subjects of partitions: all of them by one, which costs the broker less to match."""
        everything = len(partitions) == num_partitions
        return [self.feed_subject("*")] if everything else [*map(self.feed_subject, partitions)]

    def examples_subjects(self, partitions: Sequence[int], num_partitions: int) -> list[str]:
        """As `feed_subjects`."""
        everything = len(partitions) == num_partitions
        return [self.examples_subject("*")] if everything else [*map(self.examples_subject, partitions)]

    @property
    def dead_subject(self) -> str:
        return f"{self.name}.dead"

    @property
    def promises_subject(self) -> str:
        """What learners say of rows before they learn them; not kept: who compares models listens."""
        return f"{self.name}.promises"

    @property
    def pulse_subject(self) -> str:
        """How replicas rank with each model; not kept."""
        return f"{self.name}.pulse"

    @property
    def alerts_subject(self) -> str:
        """What guardrails and rules have to say; not kept, and in the log besides."""
        return f"{self.name}.alerts"

    def key(self, *parts: object) -> str:
        """Return a store key: the namespace, then what it is, then whose."""
        return ":".join((self.name, *map(str, parts)))

    @property
    def notice_key(self) -> str:
        """A counter that every feed request reads. It rises when an operator changed what must hold at once
        in every replica (weights, removed contents): who sees it move reads those anew."""
        return self.key("notice")

    def actor(self, role: str) -> str:
        return f"foryou-{self.name}-{role}"


def partition_of_subject(subject: str) -> int:
    """Return the partition that a FEED or EXAMPLES subject ends in."""
    return int(subject.rpartition(".")[2])
