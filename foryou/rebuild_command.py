"""`foryou rebuild`: what streams and archive still know, put back into an emptied store and snapshots.

It also fills the gap of a reader that stood still for longer than its stream reaches back. A system that runs
on the state folder must be stopped first. What no stream tells is not brought back: profiles, what operators
set (weights, removals, the registry of models).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actors.connections import Connections, EndpointSettings
from actors.names import Namespace, partition_of_subject
from actors.state_rebuild import RebuildError, RebuiltStates, rebuild_states
from actors.stream_reader import StreamMessage, StreamReader
from actors.streams import ensure_streams
from foryou.local_services import LocalServices, StateFolder
from foryou.running_endpoints import endpoints_of
from foryou.settings import SystemSettings
from foryou.system_plan import snapshot_root
from learners.span_cutter import ExamplesMessage, LostExamplesError
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from messages.identifiers import NUM_BUCKETS
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import SnapshotSeries, restore_latest

if TYPE_CHECKING:  # pyarrow and torch take long to load
    from actors.archive_files import ArchiveFiles
    from simulations.in_process_learner import InProcessLearner

_FETCH_MESSAGES = 256
_FETCH_SECONDS = 1.0
_LEARN_EVERY_MESSAGES = 1_024


@dataclass(frozen=True, slots=True)
class RebuiltShards:
    """snapshot: where what was learned lies; None where the snapshots reach far enough. examples: learned."""

    snapshot: str | None
    examples: int


def run_rebuild_command(settings: SystemSettings) -> dict[str, Any]:
    """Rebuild and return what was done.

    Raises StateFolderInUseError while a system runs, RebuildError where messages are missing, ArchiveError
    for an archive that cannot be read.
    """
    services = settings.services
    with (
        StateFolder(services.state) as state,
        LocalServices(state, services.nats_url, services.store_url, services.nats_sync) as local,
    ):
        endpoints = endpoints_of(settings, local.nats_url, local.store_url)
        states, shards = asyncio.run(_rebuild(settings, endpoints, snapshot_root(settings)))
    return {
        "feed_messages": states.messages,
        "from_archive": states.from_archive,
        "store_was_empty": states.was_empty,
        "contents": states.contents,
        "impressions": states.impressions,
        "positions": states.positions,
        "snapshot": shards.snapshot,
        "examples_learned": shards.examples,
    }


async def _rebuild(
    settings: SystemSettings, endpoints: EndpointSettings, snapshots: Path | str
) -> tuple[RebuiltStates, RebuiltShards]:
    from actors.model_actor import ModelActorSettings

    model = ModelActorSettings()
    async with await Connections.open(endpoints, "rebuild") as connections:
        await ensure_streams(connections.js, connections.namespace, settings.streams)
        archive = _Archive(settings, connections.namespace)
        feed = archive.feed(await archive.label(connections, connections.namespace.feed_stream))
        states = await rebuild_states(connections, settings.joiner, feed, model.row_group)
        shards = await _rebuild_shards(connections, settings, archive, snapshots, model.group)
    return states, shards


class _Archive:
    """The archived messages of the streams that are there now; none where nothing is archived."""

    def __init__(self, settings: SystemSettings, namespace: Namespace) -> None:
        self._uri = settings.archive.resolved().uri
        self._namespace = namespace

    async def label(self, connections: Connections, stream: str) -> str:
        from actors.archive_files import stream_label

        info = await connections.js.stream_info(stream)
        assert info.created is not None
        return stream_label(self._namespace.name, info.created)

    def feed(self, label: str) -> Iterator[StreamMessage]:
        from actors.archive_reader import feed_messages_of, files_to_read

        files = self._files()
        if files is None or not files.list("feed", label):
            return
        for file in files_to_read(files, "feed"):
            for message in feed_messages_of(files.read(file)) if file.stream == label else ():
                if message.sequence >= file.first:
                    subject = self._namespace.feed_subject(message.partition)
                    yield StreamMessage(subject, message.sequence, message.append_time, message.data, None)

    def examples(self, label: str) -> Iterator[ExamplesMessage]:
        from actors.archive_reader import examples_messages_of, files_to_read

        files = self._files()
        if files is None or not files.list("examples", label):
            return
        for file in files_to_read(files, "examples"):
            for message in examples_messages_of(files.read(file)) if file.stream == label else ():
                if message.sequence >= file.first:
                    yield message

    def _files(self) -> ArchiveFiles | None:
        from actors.archive_files import ArchiveFiles

        return None if self._uri is None else ArchiveFiles(self._uri)


async def _rebuild_shards(
    connections: Connections, settings: SystemSettings, archive: _Archive, snapshots: Path | str, group: str
) -> RebuiltShards:
    """Learn what no snapshot holds, as far as the stream alone does not bring it back by itself."""
    from simulations.in_process_learner import InProcessLearner

    stream = connections.namespace.examples_stream
    state = (await connections.js.stream_info(stream)).state
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), f"rebuilt-{time.time_ns()}")
    restored = restore_latest(shard, snapshots)
    learner = InProcessLearner(
        settings.training,
        num_partitions=connections.num_partitions,
        num_shards=1,
        max_rows=settings.batching.max_rows,
        learning=settings.learning,
        group=group,
        restored={0: shard},
        epoch=int(time.time() * 1e3),
    )
    first = int(state.first_seq or 1)
    if restored is not None and learner.start_sequence >= first:
        return RebuiltShards(None, 0)
    progress = _Progress(learner)
    try:
        for message in archive.examples(await archive.label(connections, stream)):
            if message.sequence < first:
                progress.add(message)
        await _add_stream(connections, progress, int(state.last_seq))
    except LostExamplesError as error:
        raise RebuildError(f"EXAMPLES begins at {first}, and no archive reaches up to it: {error}") from error
    progress.learn()
    if not progress.num_examples:
        return RebuiltShards(None, 0)
    return RebuiltShards(SnapshotSeries(shard, snapshots).take(), progress.num_examples)


async def _add_stream(connections: Connections, progress: _Progress, last: int) -> None:
    namespace = connections.namespace
    reader = StreamReader(
        connections.nats,
        namespace.examples_stream,
        [namespace.examples_subject("*")],
        progress.start_sequence,
    )
    while reader.next_sequence <= last:
        for message in await reader.fetch(_FETCH_MESSAGES, _FETCH_SECONDS):
            progress.add(
                ExamplesMessage(
                    partition_of_subject(message.subject),
                    message.sequence,
                    ExamplesHeader.from_headers(message.headers),
                    ExampleBatch.decode(message.data),
                )
            )
    await reader.close()


class _Progress:
    """Learns as it reads, so that what waits has a bound."""

    def __init__(self, learner: InProcessLearner) -> None:
        self._learner = learner
        self._num_waiting = 0
        self.num_examples = 0

    @property
    def start_sequence(self) -> int:
        return self._learner.start_sequence

    def add(self, message: ExamplesMessage) -> None:
        """Raises LostExamplesError."""
        self._learner.add(message)
        self._num_waiting += 1
        if self._num_waiting >= _LEARN_EVERY_MESSAGES:
            self.learn()

    def learn(self) -> None:
        learned = self._learner.learn(in_time_order=False)
        self.num_examples += sum(len(batch) for batch, _ in learned)
        self._num_waiting = 0
