"""KPIs and experiments, counted from EXAMPLES exactly once: counts are stored with how far they go."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from redis.exceptions import WatchError

from actors.connections import Connections
from actors.epochs import OvertakenError, take_epoch
from actors.models_settings import ModelsSettings
from actors.names import partition_of_subject
from actors.stream_reader import StreamMessage, StreamReader
from learners.features.schema import DENSE_FEATURES
from learners.features.user_features import profile_traits
from messages.codec import pack, unpack
from messages.events import EVENT_TYPE_CODES
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from monitoring.counted_messages import NumberedBatch
from monitoring.event_rows import AgeReader, bag_group_reader, log_age_reader
from monitoring.experiment_analysis import ExperimentAnalysis, ExperimentReading
from monitoring.experiment_assignment import ExperimentSettings
from monitoring.kpis import Kpis
from monitoring.user_totals import UserTotals

logger = logging.getLogger(__name__)

CONTENT_AGES = log_age_reader(DENSE_FEATURES.index("log_age"), scale=6.0, unit_seconds=3_600.0)
"""As `learners.features.content_features` computes it."""

_WORK = "kpis"
_UPLOAD = EVENT_TYPE_CODES["content_upload"]
_LATENESS_SECONDS = 3_600.0
"""Later than that no event comes: the joiner clamps further."""
_FETCH_MESSAGES = 256
_PLACE, _EVERYBODY, _TOTALS, _ANALYSIS = "place", "everybody", "totals/", "analysis/"
_NEVER = float("inf")


class KpiLedger:
    """Reads EXAMPLES in the stream's order, counts, and stores parts and place in one transaction.

    Everybody's past is kept up, so that an experiment begins with it as its people's history (CUPED).
    """

    def __init__(
        self,
        connections: Connections,
        settings: ModelsSettings,
        content_ages: AgeReader | None = CONTENT_AGES,
    ) -> None:
        self._connections = connections
        self._settings = settings
        self._content_ages = content_ages
        self._key = connections.namespace.key("kpis", "parts")
        self._epoch_key = connections.namespace.key("epoch", _WORK)
        self._epoch = 0
        self._stored: dict[str, bytes] = {}
        self._watermarks: dict[int, float] = {}
        self._reader: StreamReader | None = None
        self._place = 0
        self.num_events = 0
        """Of people, read since this ledger opened."""
        self.num_joined = 0
        """Of these, those whose impression was found."""
        self.is_live = False
        """Whether all that was there has been read."""
        keys = [profile_traits(dict([group.split("=", 1)])) for group in settings.kpis.user_groups]
        self._groups = bag_group_reader("traits", np.concatenate(keys)) if keys else None
        self.kpis = Kpis(settings.kpis, content_ages, self._groups)
        self._everybody = UserTotals((), _NEVER)
        self._totals: dict[str, UserTotals] = {}
        self._analyses: dict[str, ExperimentAnalysis] = {}
        self._kept_analyses: dict[str, bytes] = {}

    async def open(self) -> None:
        """Become the one that counts, and stand where the store says."""
        self._epoch = await take_epoch(self._connections, _WORK)
        raw = await self._connections.redis.hgetall(self._key)
        parts = {name.decode(): data for name, data in raw.items()}
        self._stored = dict(parts)
        if parts:
            self._restore(parts)
        await self._start_reader()

    async def read(self, timeout: float) -> int:
        """Count what is there, or wait for it; return how many messages that was. Raises NatsError."""
        assert self._reader is not None, "open() comes first"
        messages = await self._reader.fetch(_FETCH_MESSAGES, timeout)
        if messages:
            self._count(messages)
        self.is_live = len(messages) < _FETCH_MESSAGES
        return len(messages)

    def look(self, experiment: ExperimentSettings, started: float) -> ExperimentReading:
        """Return an experiment as it stands; a new one begins to be counted now. started: epoch seconds."""
        name, totals = _name_of(experiment.name, started), self.totals_of(experiment, started)
        if name not in self._analyses:
            analysis = ExperimentAnalysis(self._settings.analysis, totals.arms, experiment.shares)
            if name in self._kept_analyses:
                analysis.restore(self._kept_analyses.pop(name))
            self._analyses[name] = analysis
        return self._analyses[name].look(totals)

    def totals_of(self, experiment: ExperimentSettings, started: float) -> UserTotals:
        """Return what an experiment's people did; of a new one, only what they did before."""
        name = _name_of(experiment.name, started)
        if name not in self._totals:
            arms = [experiment.label(arm) for arm in range(len(experiment.arms))]
            past = unpack(self._everybody.encode())
            self._totals[name] = UserTotals.decode(pack(past | {"arms": arms, "started": started}))
        return self._totals[name]

    def keep_only(self, running: Sequence[tuple[str, float]]) -> None:
        """Forget experiments that are over. running: names and starts of those that are not."""
        names = {_name_of(name, started) for name, started in running}
        for kept in (self._totals, self._analyses, self._kept_analyses):
            for name in set(kept) - names:
                del kept[name]

    async def store(self) -> None:
        """Write what has changed, in one transaction, if nobody else has begun to count.

        Raises OvertakenError.
        """
        if len(self._watermarks) == self._connections.num_partitions:
            self.kpis.settle(min(self._watermarks.values()) - _LATENESS_SECONDS)
        parts = self._parts()
        changed = {name: data for name, data in parts.items() if self._stored.get(name) != data}
        gone = set(self._stored) - set(parts)
        if not changed and not gone:
            return
        async with self._connections.redis.pipeline(transaction=True) as transaction:
            await transaction.watch(self._epoch_key)
            if int(await transaction.get(self._epoch_key) or 0) != self._epoch:
                raise OvertakenError(f"{_WORK}: another one counts since epoch {self._epoch}")
            transaction.multi()
            if changed:
                transaction.hset(self._key, mapping=changed)
            if gone:
                transaction.hdel(self._key, *gone)
            try:
                await transaction.execute()
            except WatchError as error:
                raise OvertakenError(f"{_WORK}: another one has begun to count") from error
        self._stored = parts

    async def close(self) -> None:
        if self._reader is not None:
            await self._reader.close()

    def _count(self, messages: Sequence[StreamMessage]) -> None:
        numbered = []
        for message in messages:
            batch, partition = ExampleBatch.decode(message.data), partition_of_subject(message.subject)
            numbered.append(NumberedBatch(batch, partition, message.sequence))
            self.num_events += int((batch.event_types != _UPLOAD).sum())
            self.num_joined += 0 if batch.joined is None else len(batch.joined.rows)
            self._watermarks[partition] = ExamplesHeader.from_headers(message.headers).watermark
        for counted in (self.kpis, self._everybody, *self._totals.values()):
            counted.add_all(numbered)
        self._place = messages[-1].sequence

    def _parts(self) -> dict[str, bytes]:
        parts = self.kpis.to_parts()
        parts |= {_PLACE: pack(self._place), _EVERYBODY: self._everybody.encode()}
        parts |= {f"{_TOTALS}{name}": totals.encode() for name, totals in self._totals.items()}
        parts |= {f"{_ANALYSIS}{name}": data for name, data in self._kept_analyses.items()}
        parts |= {f"{_ANALYSIS}{name}": analysis.encode() for name, analysis in self._analyses.items()}
        return parts

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        self._place = unpack(parts[_PLACE])
        self._everybody = UserTotals.decode(parts[_EVERYBODY])
        self._totals = {
            name.removeprefix(_TOTALS): UserTotals.decode(data)
            for name, data in parts.items()
            if name.startswith(_TOTALS)
        }
        self._kept_analyses = {
            name.removeprefix(_ANALYSIS): data for name, data in parts.items() if name.startswith(_ANALYSIS)
        }
        self.kpis = Kpis.from_parts(parts, self._settings.kpis, self._content_ages, self._groups)

    async def _start_reader(self) -> None:
        js, namespace = self._connections.js, self._connections.namespace
        first = int((await js.stream_info(namespace.examples_stream)).state.first_seq or 1)
        if self._place and first > self._place + 1:
            logger.warning("EXAMPLES %d to %d are in no KPI: they are gone", self._place + 1, first - 1)
        subjects = [namespace.examples_subject("*")]
        self._reader = StreamReader(
            self._connections.nats, namespace.examples_stream, subjects, self._place + 1
        )


def _name_of(experiment: str, started: float) -> str:
    """Name one run of an experiment: a second try is counted anew."""
    return f"{experiment}@{started!r}"
