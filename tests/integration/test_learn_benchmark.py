"""The benchmark of learning runs, joins and learns every pair, and its peer learns the same model."""

import pytest

from learners.ranking_model import RankingModelSettings
from learners.training_settings import TrainingSettings
from messages.feed import FeedMessage
from simulations.benchmarks.event_latency import LatencyReport
from simulations.benchmarks.learn_benchmark import StageClock, cut, join_feed, run_learn_benchmark
from simulations.benchmarks.learning_feed import LearningFeedSettings, feed_messages
from simulations.benchmarks.learning_peers import PlainModel
from simulations.benchmarks.live_feed import live_messages
from simulations.benchmarks.system_rates import SystemRates, slope

FEED = LearningFeedSettings(num_users=40, num_contents=30, num_pairs=600, pairs_per_message=20)
TRAINING = TrainingSettings(model=RankingModelSettings(hidden=(16, 8), retrieval_dimension=4))


def test_every_pair_is_joined_and_cut_into_batches_once() -> None:
    encoded = join_feed(list(feed_messages(FEED)), FEED.num_partitions, StageClock())
    batches = [batch for _, batch in cut(encoded, FEED.num_partitions)]
    assert sum(len(batch) for batch in batches) == FEED.num_pairs
    assert all(batch.joined is not None and len(batch.joined) == len(batch) for batch in batches)


def test_of_live_traffic_every_event_is_joined_to_a_slate_with_features() -> None:
    settings = LearningFeedSettings(num_users=7, num_contents=30, num_pairs=100, num_partitions=2)
    messages = list(live_messages(settings, slate=5))
    assert len(messages) == settings.num_pairs
    feed = [(partition, settings.start, data) for partition, data in messages]
    batches = [batch for _, batch in cut(join_feed(feed, 2, StageClock()), 2)]
    assert sum(len(batch) for batch in batches) == settings.num_pairs
    for batch in batches:
        assert batch.joined is not None
        assert len(batch.joined) == len(batch)
        assert batch.joined.features.counters is not None
    impressions = sum(
        kind == "impression" for _, data in messages for kind, _ in FeedMessage.decode(data).records
    )
    assert 100 / 5 <= impressions <= 100 / 5 + 7


def test_rates_ratios_and_stages_are_reported() -> None:
    rates = SystemRates(300.0, 100.0, 80.0, LatencyReport(50.0, 90.0, 1_000, 999.0))
    report = run_learn_benchmark(FEED, TRAINING, rates=rates, many_users=3_000)
    assert report["examples"] == FEED.num_pairs
    assert report["vs_in_memory"] == 100.0 / report["in_memory_examples_per_s"]
    assert report["event_to_shard_p95_ms"] == 90.0
    shares = {name: share for name, share in report.items() if name.startswith("stage_")}
    assert {"stage_join_share", "stage_train_share", "stage_push_share"} <= shares.keys()
    assert abs(sum(shares.values()) - 1) < 1e-9
    for name in ("join_pairs_per_s", "one_process_examples_per_s", "step_ms", "cost_many_vs_few_users"):
        assert report[name] > 0
    assert all(not isinstance(value, dict | list) for value in report.values())


def test_a_rate_is_that_of_the_middle_of_the_way() -> None:
    steady = [(float(second), 100 * max(0, second - 5)) for second in range(17)]
    assert slope(steady, 0, 1_000) == pytest.approx(100)
    late_first_look = [(second, done) for second, done in steady if done >= 300]
    assert slope(late_first_look, 0, 1_000) == pytest.approx(100)
    after_others = [(second, 500 + done) for second, done in steady]
    assert slope(after_others, 500, 1_500) == pytest.approx(100)


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
