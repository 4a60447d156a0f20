"""What HTTP served is what the training model says of the logged features, with that version's weights."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from actors.connections import Connections
from actors.model_groups import model_plan
from foryou.client import Client
from foryou.system import System
from learners.training_step import TrainingStep
from messages.examples import HEADS, ExampleBatch
from messages.feed import FeedMessage
from messages.identifiers import NUM_BUCKETS, partition_of
from messages.impressions import Impression
from messages.slate_features import SlateFeatures
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import restore_latest
from tests.e2e.conftest import DEADLINE_SECONDS, TOPICS, Person, wait_until_learned
from tests.impressions import whole_rows
from tests.training_batches import examples_of

pytestmark = pytest.mark.system
GROUP = "production"


def last_impression(system: System, user_id: str) -> Impression:
    """Read the person's newest impression back from FEED."""

    async def read() -> bytes:
        async with await Connections.open(system.endpoints, "test") as connections:
            partition = partition_of(user_id, connections.num_partitions)
            message = await connections.js.get_last_msg(
                connections.namespace.feed_stream, connections.namespace.feed_subject(partition)
            )
            return message.data

    ((kind, body),) = FeedMessage.decode(asyncio.run(read())).records
    assert kind == "impression"
    return Impression.from_wire(body)


def trained_probabilities(system: System, snapshots: Path, batch: ExampleBatch) -> np.ndarray:
    """Score logged features with torch and the weights of a snapshot, float32 [k, heads]."""
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "restored")
    assert restore_latest(shard, snapshots) is not None
    plan = model_plan(system.settings.training, system.settings.num_partitions)
    shard.create_group(GROUP, plan.settings, plan.dense)
    step = TrainingStep(system.settings.training)
    router = ShardRouter(assign_buckets(1))
    request = step.pull_request(batch, GROUP)
    pulled = router.merge_pull(
        request, {part: shard.pull(ask) for part, ask in router.split_pull(request).items()}
    )
    return step.run(batch, pulled.values, pulled.dense, pulled.counters).probabilities


def test_served_scores_equal_the_training_models_on_the_logged_features(
    system: System, client: Client
) -> None:
    person = Person("compared", TOPICS[2], client)
    for _ in range(3):
        wait_until_learned(client, person.scroll()["positions"])
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        feed = client.feed(person.user_id, 10, explain=True)
        impression = last_impression(system, person.user_id)
        assert impression.request_id == feed["request_id"]
        assert isinstance(impression.features, SlateFeatures)
        system.actors.write_snapshots()
        trained = trained_probabilities(
            system, system.snapshot_root, examples_of(whole_rows(impression.features, impression.contents))
        )
        served = np.array([[item["heads"][head] for head in HEADS] for item in feed["items"]])
        # The last deltas may still have been on their way when the feed was served: then ask again.
        if np.abs(served - trained).max() <= 1e-5 or time.monotonic() > deadline:
            break
    np.testing.assert_allclose(served, trained, atol=1e-5)
