"""How good the model has become through the faults: its AUC on what would come next, and a clean run's."""

from __future__ import annotations

from actors.examples_follower import BatchingSettings
from actors.parameter_client import ParameterClient
from learners.joiner import JoinerSettings
from learners.step_result import StepResult
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.examples import HEAD_INDEX, ExampleBatch
from messages.feed import FeedMessage
from monitoring.progressive_metrics import StreamingAuc
from simulations.chaos_stream import NUM_PARTITIONS, ChaosStream
from simulations.in_process_learner import InProcessLearner
from simulations.in_process_streams import InProcessStreams

WITHIN = 0.003
"""How far the AUC after a schedule may lie from a clean run's."""

BATCHING = BatchingSettings(max_rows=1)
"""Each message is a mini-batch of its own, whenever it is learned. Whoever catches up would learn in larger
batches, which is worth some AUC on so short a stream, and would hide what a fault is worth."""

_ENGAGE = HEAD_INDEX["engage"]
_NUM_HELD_OUT = 75
_NUM_BINS = 1 << 20


class ModelTest:
    """The messages after a stream, joined as if they had come, and learned by nobody."""

    def __init__(self, stream: ChaosStream, joiner: JoinerSettings, training: TrainingSettings) -> None:
        """Learn the stream in one process too: that run is the clean one."""
        streams = InProcessStreams(joiner.model_copy(update={"num_partitions": NUM_PARTITIONS}))
        learner = InProcessLearner(
            training, num_partitions=NUM_PARTITIONS, num_shards=1, max_rows=BATCHING.max_rows, learning=True
        )
        for partition, message in stream.messages():
            _append(streams, partition, message)
            for appended in streams.join():
                learner.add(appended)
            learner.learn(in_time_order=False)
        for partition, message in stream.messages_after(_NUM_HELD_OUT):
            _append(streams, partition, message)
        self._held_out = ExampleBatch.concatenate([appended.batch for appended in streams.join()])
        self._step = TrainingStep(training)
        self.clean_auc = _auc(learner.predict(self._held_out))

    async def auc(self, client: ParameterClient, group: str) -> float:
        """Return the AUC of what the shards hold now."""
        pulled = await client.pull(self._step.pull_request(self._held_out, group))
        return _auc(self._step.run(self._held_out, pulled.values, pulled.dense, pulled.counters))

    def difference(self, auc: float) -> str | None:
        """Say what is wrong with the AUC after a schedule; None where it is as good as a clean run's."""
        if abs(auc - self.clean_auc) <= WITHIN:  # a NaN is not
            return None
        return f"AUC {auc:.4f} is not within {WITHIN} of a clean run's {self.clean_auc:.4f}"


def _append(streams: InProcessStreams, partition: int, message: FeedMessage) -> None:
    assert message.log_time is not None
    streams.append(partition, FeedMessage.decode(message.encode()), message.log_time)


def _auc(result: StepResult) -> float:
    rows = result.trained[:, _ENGAGE]
    auc = StreamingAuc(_NUM_BINS)
    auc.add(result.probabilities[rows, _ENGAGE], result.targets[rows, _ENGAGE])
    return auc.value()
