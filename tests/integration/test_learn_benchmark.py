"""The benchmark of learning runs, joins and learns every pair, and its peer learns the same model."""

from learners.ranking_model import RankingModelSettings
from learners.training_settings import TrainingSettings
from simulations.benchmarks.learn_benchmark import StageClock, cut, join_feed, run_learn_benchmark
from simulations.benchmarks.learning_feed import LearningFeedSettings, feed_messages
from simulations.benchmarks.learning_peers import PlainModel

FEED = LearningFeedSettings(num_users=40, num_contents=30, num_pairs=600, pairs_per_message=20)
TRAINING = TrainingSettings(model=RankingModelSettings(hidden=(16, 8), retrieval_dimension=4))


def test_every_pair_is_joined_and_cut_into_batches_once() -> None:
    encoded = join_feed(list(feed_messages(FEED)), FEED.num_partitions, StageClock())
    batches = [batch for _, batch in cut(encoded, FEED.num_partitions)]
    assert sum(len(batch) for batch in batches) == FEED.num_pairs
    assert all(batch.joined is not None and len(batch.joined) == len(batch) for batch in batches)


def test_rates_ratios_and_stages_are_reported() -> None:
    report = run_learn_benchmark(FEED, TRAINING, through_system_examples_per_s=100.0)
    assert report["examples"] == FEED.num_pairs
    assert report["vs_in_memory"] == 100.0 / report["in_memory_examples_per_s"]
    shares = {name: share for name, share in report.items() if name.startswith("stage_")}
    assert {"stage_join_share", "stage_train_share", "stage_push_share"} <= shares.keys()
    assert abs(sum(shares.values()) - 1) < 1e-9
    assert all(report[name] > 0 for name in ("join_pairs_per_s", "examples_per_s", "step_ms"))


def test_the_plain_model_learns() -> None:
    encoded = join_feed(list(feed_messages(FEED)), FEED.num_partitions, StageClock())
    batches = [batch for _, batch in cut(encoded, FEED.num_partitions)]
    model = PlainModel(TRAINING, batches)

    def loss() -> float:
        values = {slot: model._rows[slot][at] for slot, at in model._places[0].items()}
        return model._step.run(batches[0], values, model._dense, model._counters[0]).loss

    before = loss()
    for _ in range(5):
        model.examples_per_s()
    assert loss() < before
