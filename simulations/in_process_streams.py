"""FEED, EXAMPLES and the states in memory, and the joiners between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from learners.features.assembly import assemble
from learners.joiner import JoinerSettings, PartitionJoiner
from learners.release import DeadLetter
from learners.span_cutter import ExamplesMessage
from messages.feed import FeedMessage

_WRITER = "in-process"


@dataclass(frozen=True, slots=True)
class _Stored:
    partition: int
    sequence: int
    append_time: float
    message: FeedMessage


class InProcessStreams:
    """One process's streams: sequences count over all partitions, as in JetStream.

    states: user id -> bytes of user state and join state. dead_letters: what the joiners refused. listener:
    hears of everything that is appended to FEED (partition, message, append time), to record it.
    """

    def __init__(self, settings: JoinerSettings) -> None:
        self.num_partitions = settings.num_partitions
        self.states: dict[str, tuple[bytes | None, bytes | None]] = {}
        self.dead_letters: list[DeadLetter] = []
        self.listener: Callable[[int, FeedMessage, float], None] | None = None
        self._joiners = [
            PartitionJoiner(partition, settings, _WRITER, assemble=assemble)
            for partition in range(settings.num_partitions)
        ]
        self._feed: list[_Stored] = []
        self._num_feed = 0
        self._num_examples = 0
        self._last_examples = [0] * settings.num_partitions

    def append(self, partition: int, message: FeedMessage, append_time: float) -> int:
        """Append to FEED; returns the message's sequence. append_time: epoch seconds."""
        if self.listener is not None:
            self.listener(partition, message, append_time)
        self._num_feed += 1
        self._feed.append(_Stored(partition, self._num_feed, append_time, message))
        return self._num_feed

    def join(self) -> list[ExamplesMessage]:
        """Let the joiners read all of FEED that is new; return what they append to EXAMPLES, in order.

        A partition says so even where nothing came of its messages, so that the lowest watermark moves on.
        """
        waiting, self._feed = self._feed, []
        touched: dict[int, None] = {}
        for stored in waiting:
            joiner = self._joiners[stored.partition]
            missing = joiner.missing_users(stored.message)
            if missing:
                joiner.load_users({user: self.states.get(user, (None, None)) for user in missing})
            self.dead_letters += joiner.accept(
                stored.message, position=stored.sequence, append_time=stored.append_time
            )
            touched[stored.partition] = None
        return [message for partition in touched if (message := self._release(partition)) is not None]

    def _release(self, partition: int) -> ExamplesMessage | None:
        release = self._joiners[partition].release()
        if release is None:
            return None
        self._num_examples += 1
        header = release.header(previous=self._last_examples[partition])
        self._last_examples[partition] = self._num_examples
        self.states.update(release.states)
        return ExamplesMessage(partition, self._num_examples, header, release.batch)

    def statistics(self) -> dict[str, int]:
        """Return the joiners' counts, summed over partitions."""
        total: dict[str, int] = {}
        for joiner in self._joiners:
            for name, count in joiner.statistics().items():
                total[name] = total.get(name, 0) + count
        return total
