"""Training on the archive with Ray Data, and a search with Ray Tune, at a tiny size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import ray

from actors.archive_files import ArchiveFiles, ArchiveSettings, stream_label
from actors.archive_reader import examples_end
from actors.archive_writer import ArchiveWriter
from actors.model_groups import GroupBirth, counters_plan, model_plan
from actors.shard_host import ShardHost
from actors.shard_host_settings import ShardHostSettings
from learners.features.schema import USER_SLOT
from messages.examples import ExampleBatch
from messages.identifiers import NUM_BUCKETS, buckets_of, keys_of
from messages.updates import COUNTER_TOTAL_INDEX, COUNTERS_GROUP, PullRequest
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import restore_latest
from simulations.archive_batches import archived_batches
from simulations.archive_training import TrainingRefusedError, train_on_archive
from simulations.batch_learner import BatchLearner
from simulations.prepared_examples import CounterFiller, write_batches
from simulations.tuning import tune
from tests.archived_streams import CONTENTS, NUM_PARTITIONS, streams_of
from tests.training_batches import SETTINGS, batch_of

_, EXAMPLES = streams_of(30)
STREAM = stream_label("test", datetime(2026, 11, 24, tzinfo=UTC))


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()


@pytest.fixture
def files(tmp_path: Path) -> ArchiveFiles:
    files = ArchiveFiles(tmp_path / "archive")
    writer = ArchiveWriter(files, "examples", STREAM, ArchiveSettings())
    writer.add(EXAMPLES)
    writer.flush()
    return files


def all_events() -> ExampleBatch:
    return ExampleBatch.concatenate([ExampleBatch.decode(message.data) for message in EXAMPLES])


@pytest.mark.usefixtures("ray_here")
def test_a_snapshot_of_the_archive_stands_where_the_archive_ends_and_knows_what_it_holds(
    files: ArchiveFiles, tmp_path: Path
) -> None:
    trained = train_on_archive(
        files, SETTINGS, num_partitions=NUM_PARTITIONS, batch_rows=16, initial="factorization"
    )
    events = all_events()
    assert trained.rows == len(events)
    assert trained.initial_rows > 0
    trained.write_snapshot(tmp_path / "snapshots", goes_on=True)
    shard = ParameterShard(1, np.arange(0, NUM_BUCKETS, 2), "half of it")
    plans = {
        "production": model_plan(SETTINGS, NUM_PARTITIONS),
        COUNTERS_GROUP: counters_plan(NUM_PARTITIONS),
    }
    restored = restore_latest(
        shard, tmp_path / "snapshots", {name: plan.settings for name, plan in plans.items()}
    )
    assert restored is not None
    assert restored.num_buckets == NUM_BUCKETS // 2
    end = examples_end(files)
    for name in plans:
        for partition, position in shard.positions(name).lowest().items():
            assert position == end.positions[partition]
    ids = np.sort(keys_of(CONTENTS))
    hosted = ids[[shard.hosted[int(bucket)] for bucket in buckets_of(ids)]]
    counters = shard.pull(PullRequest(COUNTERS_GROUP, {}, counter_ids=hosted)).counters
    assert counters is not None
    for row, content in enumerate(hosted):
        views = ((events.event_types == 0) & (events.content_keys == content)).sum()
        assert counters.totals[row, COUNTER_TOTAL_INDEX["views"]] == views


@pytest.mark.usefixtures("ray_here")
def test_a_candidate_of_a_running_shard_begins_as_the_model_that_was_trained_on_the_archive(
    files: ArchiveFiles, tmp_path: Path
) -> None:
    trained = train_on_archive(files, SETTINGS, num_partitions=NUM_PARTITIONS)
    root = tmp_path / "retrained"
    trained.write_snapshot(root, goes_on=True)
    own = ShardHostSettings(snapshot_root=tmp_path / "own")
    buckets = np.arange(0, NUM_BUCKETS, 2)
    host = ShardHost(0, buckets, {"production": SETTINGS}, NUM_PARTITIONS, own)
    birth = GroupBirth(kind="snapshot", source="production", before=time.time(), root=str(root))
    assert host.ensure_group("retrained-1", SETTINGS, birth)
    end = examples_end(files)
    for partition, position in host.positions("retrained-1").lowest().items():
        assert position == end.positions[partition], "its learner goes on where the archive ends"
    people = np.unique(all_events().user_keys[all_events().user_keys != 0])
    hosted = people[buckets_of(people) % 2 == 0]
    values = host.pull(PullRequest("retrained-1", {USER_SLOT: hosted})).values[USER_SLOT]
    there = trained.learner.shard.pull(PullRequest("production", {USER_SLOT: hosted})).values[USER_SLOT]
    assert np.array_equal(values, there)
    untaught = host.pull(PullRequest("production", {USER_SLOT: hosted})).values[USER_SLOT]
    assert not np.array_equal(values, untaught)
    host.close()


@pytest.mark.usefixtures("ray_here")
def test_one_pass_over_the_archive_teaches_what_the_stream_teaches(files: ArchiveFiles) -> None:
    trained = train_on_archive(files, SETTINGS, num_partitions=NUM_PARTITIONS, batch_rows=10_000)
    learner, filler = BatchLearner(SETTINGS), CounterFiller()
    ends = [file.last for file in files.list("examples")]
    start = 0
    for end in ends:
        part = [ExampleBatch.decode(m.data) for m in EXAMPLES if start < m.sequence <= end]
        batch = ExampleBatch.concatenate(part)
        if len(batch):
            learner.learn(filler.fill(batch))
        start = end
    people = np.unique(all_events().user_keys[all_events().user_keys != 0])
    request = PullRequest("production", {USER_SLOT: people})
    own = trained.learner.shard.pull(request).values[USER_SLOT]
    assert own == pytest.approx(learner.shard.pull(request).values[USER_SLOT], abs=1e-6)


@pytest.mark.usefixtures("ray_here")
def test_shuffled_passes_hold_the_same_events_in_another_order(files: ArchiveFiles) -> None:
    ordered = ExampleBatch.concatenate(list(archived_batches(files, 7)))
    shuffled = ExampleBatch.concatenate(list(archived_batches(files, 7, shuffle_seed=1)))
    assert sorted(ordered.times) == sorted(shuffled.times)
    assert ordered.user_keys.tolist() == all_events().user_keys.tolist()
    assert ordered.user_keys.tolist() != shuffled.user_keys.tolist()


@pytest.mark.usefixtures("ray_here")
def test_what_cannot_be_trained_on_is_refused(files: ArchiveFiles) -> None:
    with pytest.raises(TrainingRefusedError, match="num_partitions"):
        train_on_archive(files, SETTINGS, num_partitions=1)
    with pytest.raises(TrainingRefusedError, match="--epochs 1"):
        train_on_archive(files, SETTINGS, num_partitions=NUM_PARTITIONS, epochs=2)


@pytest.mark.usefixtures("ray_here")
def test_a_search_tries_the_shipped_settings_first_and_others(tmp_path: Path) -> None:
    batches = [
        batch_of([(user, user % 5) for user in range(12)], [(user + turn) % 2 == 0 for user in range(12)])
        for turn in range(20)
    ]
    write_batches(tmp_path / "log.examples", batches)
    found = tune(
        tmp_path / "log.examples", SETTINGS, num_trials=2, seed=0, folder=tmp_path / "trials", num_at_once=2
    )
    assert len(found) == 2
    assert found[0].share == 1
    assert SETTINGS.model.learning_rate in [trial.settings["learning_rate"] for trial in found]
