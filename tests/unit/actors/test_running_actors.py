"""The actors of a namespace are told from those of others, in the order in which to stop them."""

from __future__ import annotations

from actors.names import Namespace
from actors.running_actors import roles_among


def test_workers_stop_in_the_order_of_the_data_and_shards_last() -> None:
    names = [
        f"foryou-live-{role}"
        for role in (
            "shard-0",
            "model",
            "learner",
            "archive",
            "shard-10",
            "joiner",
            "counter-writer",
            "models",
        )
    ] + [f"foryou-live-{role}" for role in ("learner-bolder", "joiner+2", "learner+2")]
    assert roles_among(names, Namespace("live")) == [
        *("models", "joiner", "joiner+2", "learner", "learner+2", "learner-bolder"),
        *("counter-writer", "model", "archive"),
        *("shard-0", "shard-10"),
    ]


def test_actors_of_another_namespace_are_left_alone() -> None:
    names = ["foryou-live-2-joiner", "foryou-other-joiner", "SERVE_REPLICA::x", "foryou-live-joiner"]
    assert roles_among(names, Namespace("live")) == ["joiner"]
