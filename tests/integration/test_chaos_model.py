"""How good a model is after faults: a clean run's passes, and one that has lost or learned twice does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from actors.parameter_client import ParameterClient
from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from messages.feed import FeedMessage
from parameter_server.routing import ShardRouter, assign_buckets
from simulations.chaos_model import WITHIN, ModelTest
from simulations.chaos_stream import NUM_PARTITIONS, ChaosStream
from simulations.in_process_learner import MODEL_GROUP, InProcessLearner
from simulations.in_process_streams import InProcessStreams

NUM_MESSAGES = 40
TRAINING = TrainingSettings()


class Direct:
    """A shard that is called at once."""

    def __init__(self, shard: Any) -> None:
        self._shard = shard

    async def pull(self, request: Any) -> Any:
        return self._shard.pull(request)

    async def apply_update(self, update: Any) -> Any:
        raise AssertionError("a test of the model changes nothing")

    async def apply_and_pull(self, update: Any, request: Any) -> Any:
        raise AssertionError("a test of the model changes nothing")

    async def positions(self, group: str) -> Any:
        return self._shard.positions(group)


@pytest.fixture(scope="module")
def model_test() -> ModelTest:
    return ModelTest(ChaosStream(NUM_MESSAGES, seed=1), JoinerSettings(), TRAINING)


def auc_of(model_test: ModelTest, messages: Iterator[tuple[int, FeedMessage]], num_shards: int) -> float:
    streams = InProcessStreams(JoinerSettings(num_partitions=NUM_PARTITIONS))
    learner = InProcessLearner(
        TRAINING, num_partitions=NUM_PARTITIONS, num_shards=num_shards, max_rows=1, learning=True
    )
    by_turns = sorted(enumerate(messages), key=lambda one: (one[0] // 10, one[1][0], one[0]))
    for _, (partition, message) in by_turns:  # a joiner that is behind takes one partition after the other
        assert message.log_time is not None
        streams.append(partition, message, message.log_time)
        for appended in streams.join():
            learner.add(appended)
    learner.learn(in_time_order=False)
    shards = {shard: Direct(host) for shard, host in learner.shards.items()}
    client = ParameterClient(shards, ShardRouter(assign_buckets(num_shards)))
    return asyncio.run(model_test.auc(client, MODEL_GROUP))


def test_a_model_has_something_to_learn_of_the_stream(model_test: ModelTest) -> None:
    assert 0.7 < model_test.clean_auc < 0.95
    assert model_test.difference(model_test.clean_auc) is None


def test_whoever_learned_everything_once_but_late_is_as_good(model_test: ModelTest) -> None:
    auc = auc_of(model_test, ChaosStream(NUM_MESSAGES, seed=1).messages(), num_shards=2)
    assert model_test.difference(auc) is None


def test_whoever_lost_most_of_the_stream_is_not(model_test: ModelTest) -> None:
    auc = auc_of(model_test, ChaosStream(NUM_MESSAGES // 8, seed=1).messages(), num_shards=2)
    told = model_test.difference(auc)
    assert told is not None
    assert f"not within {WITHIN}" in told


def test_a_model_that_says_nothing_is_not_as_good(model_test: ModelTest) -> None:
    assert model_test.difference(float("nan")) is not None
