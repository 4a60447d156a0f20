"""EXAMPLES joined once, to be learned from many times: mini-batches in the order of time, features complete.

Counter features of rows that came without (of a log) are filled in here, as of the batch before each: what is
learned later, in whatever order and how often, cannot see the future through them.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from actors.model_groups import counters_plan
from learners.batch_updates import counter_update
from learners.features.counter_features import counter_block_of
from learners.joiner import JoinerSettings
from learners.span_cutter import MiniBatch
from messages.examples import ExampleBatch
from messages.feed import FeedMessage
from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTERS_GROUP, PullRequest, Span
from parameter_server.shard import ParameterShard
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.in_process_streams import InProcessStreams
from simulations.kuairand import ReplayWindow
from simulations.paired_runs import run_copy
from simulations.presets import Preset
from simulations.replay_log import ReplayLog
from simulations.replay_windows import windows_of
from simulations.simulated_feeds import SystemServed
from simulations.world import World

_LENGTH = struct.Struct("<I")


class CounterFiller:
    """Counts what happens to contents, and fills in the counter features of rows that came without."""

    def __init__(self, shard: ParameterShard | None = None, num_partitions: int = 1) -> None:
        """shard: gets the group of the counters; one of its own where left out."""
        self._shard = shard or ParameterShard(0, np.arange(NUM_BUCKETS), "counters")
        plan = counters_plan(num_partitions)
        self._shard.create_group(COUNTERS_GROUP, plan.settings, plan.dense)
        self._num_batches = 0

    def fill(self, batch: ExampleBatch) -> ExampleBatch:
        """Return the batch with all its features, then count what it says."""
        filled = self._filled(batch)
        self._num_batches += 1
        end = self._num_batches
        span = Span(end - 1, end, feed_position=end, watermark=0.0, examples=len(batch))
        self._shard.apply_update(counter_update(1, MiniBatch([], {0: span}), batch))
        return filled

    def _filled(self, batch: ExampleBatch) -> ExampleBatch:
        joined = batch.joined
        if joined is None or joined.features.counters is not None:
            return batch
        ids = np.unique(joined.features.ids["content"])
        counters = self._shard.pull(PullRequest(COUNTERS_GROUP, {}, counter_ids=ids)).counters
        block = counter_block_of(joined.features, counters, batch.times[joined.rows])
        features = joined.features.with_counters(block)
        return dataclasses.replace(batch, joined=dataclasses.replace(joined, features=features))


def examples_of_log(
    log: ReplayLog, joiner: JoinerSettings, advance: Callable[[int], None] = lambda _: None
) -> Iterator[ExampleBatch]:
    """Yield one mini-batch for each window of a log; `advance` is told the window's rows."""
    yield from _joined(log.windows(), joiner, advance)


def examples_of_world(
    preset: Preset, settings: InProcessSettings, *, window_rows: int
) -> Iterator[ExampleBatch]:
    """Yield what a world gives to learn from whose slates the whole system served, learning all the while."""
    world = World(preset.world)
    system = InProcessSystem(settings, seed=world.settings.seed)
    heard: list[tuple[int, FeedMessage]] = []
    system.streams.listener = lambda partition, message, append_time: heard.append(
        (partition, FeedMessage(message.records, append_time))
    )
    run_copy(preset, world, SystemServed(world, settings, system=system))
    partitions = settings.joiner.num_partitions
    yield from _joined(
        windows_of(heard, num_partitions=partitions, window_rows=window_rows), settings.joiner, lambda _: None
    )


def _joined(
    windows: Iterable[ReplayWindow], joiner: JoinerSettings, advance: Callable[[int], None]
) -> Iterator[ExampleBatch]:
    streams = InProcessStreams(joiner)
    filler = CounterFiller()
    for window in windows:
        for partition, message in window.messages:
            streams.append(partition, message, window.last_time)
        batch = ExampleBatch.concatenate([message.batch for message in streams.join()])
        if len(batch):
            yield filler.fill(batch)
        advance(window.num_rows)


def write_batches(path: Path, batches: Iterable[ExampleBatch]) -> int:
    """Write batches to a file, which is there whole or not at all; return how many rows they have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    num_rows = 0
    with partial.open("wb") as file:
        for batch in batches:
            data = batch.encode()
            file.write(_LENGTH.pack(len(data)) + data)
            num_rows += len(batch)
    partial.replace(path)
    return num_rows


def read_batches(path: Path) -> list[ExampleBatch]:
    """Return what `write_batches` wrote."""
    with path.open("rb") as file:
        return list(_read(file))


def _read(file: BinaryIO) -> Iterator[ExampleBatch]:
    while length := file.read(_LENGTH.size):
        yield ExampleBatch.decode(file.read(_LENGTH.unpack(length)[0]))
