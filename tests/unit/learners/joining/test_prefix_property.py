"""What a joiner emits is a function of its partition's prefix alone: no cut and no crash shows in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from learners.joiner import JoinerSettings, PartitionJoiner, Release
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from messages.feed import FeedMessage
from messages.identifiers import key_of

START = 1_700_000_000.0
SETTINGS = JoinerSettings(
    num_partitions=1, max_open_per_user=3, max_recent_events_per_user=6, influence_cap=9
)

Record = tuple[str, Any]
Moment = tuple[float, list[Record]]

CONTENTS = ("cat", "dog", "sea", "jam")
USERS = ("eve", "dan", "ann")
GAPS = (0, 0, 0, 0, 1, 1, 20, 100, 100, 300, 601)
EVENT_TYPES = ("view", "view", "view", "skip", "complete_view", "like", "like", "follow", "hide", "replay")


def prefix(random: Random) -> list[tuple[float, dict[str, Any]]]:
    """Draw times and sketches of records: slates, uploads, events (repeated, late, orphaned, broken)."""
    time = START
    course: list[tuple[float, dict[str, Any]]] = []
    for number in range(random.randint(1, 60)):
        time += random.choice(GAPS)
        user = random.choice(USERS)
        kind = random.choices(("slate", "event", "upload", "broken"), (6, 14, 1, 1))[0]
        if kind == "slate":
            shown = random.choices(CONTENTS, k=random.randint(1, 3))
            course.append((time, {"slate": f"{user}{random.randrange(8)}", "user": user, "contents": shown}))
            continue
        event: dict[str, Any] = {
            "event_id": f"e{random.randrange(40)}",
            "timestamp": time + random.choice((0, 0, -1, -700, 50)),
        }
        if kind == "upload":
            event |= {"event_type": "content_upload", "creator_id": user, "content_id": f"new{number}"}
        else:
            event |= {"event_type": random.choice(EVENT_TYPES), "user_id": user}
            if event["event_type"] == "follow":
                event["creator_id"] = random.choice(("ann", "bob", "cyd"))
            else:
                event["content_id"] = random.choice(CONTENTS)
            if event["event_type"] == "view":
                event["watch_duration"] = random.choice((0.0, 9.0, 20.0))
            if random.random() < 0.3:
                event["request_id"] = f"{user}{random.randrange(8)}"
        if kind == "broken":
            del event["timestamp"]
        course.append((time, {"event": event}))
    return course


class Partition:
    """A FEED partition, an EXAMPLES partition and a store, and a driver that may crash anywhere."""

    def __init__(
        self, messages: list[FeedMessage], new_joiner: Callable[[JoinerSettings], PartitionJoiner]
    ) -> None:
        self.messages = messages
        self.new_joiner = new_joiner
        self.examples: list[tuple[ExamplesHeader, ExampleBatch]] = []
        self.states: dict[str, tuple[bytes, bytes]] = {}
        self.states_position = 0

    @property
    def released_to(self) -> int:
        return self.examples[-1][0].feed_position if self.examples else 0

    def run(self, decisions: Iterator[str]) -> None:
        while self._run_until_crash(decisions):
            pass

    def _run_until_crash(self, decisions: Iterator[str]) -> bool:
        joiner = self.new_joiner(SETTINGS)
        recall_from = self.examples[-1][0].replay_from if self.examples else 1
        for position in range(recall_from, self.states_position + 1):
            joiner.recall(self._message(position), position=position, append_time=0.0)
        for position in range(self.states_position + 1, len(self.messages) + 1):
            message = self._message(position)
            nothing = (None, None)
            joiner.load_users(
                {user: self.states.get(user, nothing) for user in joiner.missing_users(message)}
            )
            joiner.accept(message, position=position, append_time=0.0)
            decision = next(decisions)
            if position < self.released_to:
                continue
            if position == self.released_to:  # these rows are in EXAMPLES already; only the states were not
                self._store(joiner.release())
            elif decision != "go on" or position == len(self.messages):
                release = joiner.release()
                assert release is not None
                if decision == "crash before the append":
                    return True
                self.examples.append((release.header(previous=len(self.examples)), release.batch))
                if decision == "crash before the store":
                    return True
                self._store(release)
                if decision == "crash after the store":
                    return True
        return self.states_position < len(self.messages)

    def _message(self, position: int) -> FeedMessage:
        return FeedMessage.decode(self.messages[position - 1].encode())

    def _store(self, release: Release | None) -> None:
        assert release is not None
        self.states |= release.states
        self.states_position = release.feed_position

    def rows(self) -> bytes:
        batches = [ExampleBatch.decode(batch.encode()) for _, batch in self.examples]
        return ExampleBatch.concatenate(batches).encode()


def until_done(decisions: list[str]) -> Iterator[str]:
    """Crash as often as drawn, then no more."""
    yield from decisions
    while True:
        yield "release"


def cut(records: list[tuple[float, Record]], random: Random) -> list[FeedMessage]:
    """Pack records into messages: only records of one moment may share one."""
    messages: list[FeedMessage] = []
    for time, record in records:
        if messages and messages[-1].log_time == time and random.random() < 0.7:
            messages[-1].records.append(record)  # type: ignore[arg-type]
        else:
            messages.append(FeedMessage([record], log_time=time))  # type: ignore[list-item]
    return messages


DECISIONS = ("go on", "go on", "go on", "release", "crash before the append", "crash before the store",
             "crash after the store")  # fmt: skip


@given(seed=st.integers(0, 2**32 - 1), served=st.booleans())
def test_neither_cuts_nor_releases_nor_crashes_show_in_rows_or_states(
    make_impression: Any, new_joiner: Any, seed: int, served: bool
) -> None:
    random = Random(seed)
    records: list[tuple[float, Record]] = [
        (
            time,
            ("event", sketch["event"])
            if "event" in sketch
            else (
                "impression",
                make_impression(sketch["slate"], sketch["user"], sketch["contents"], time, served=served),
            ),
        )
        for time, sketch in prefix(random)
    ]

    smooth = Partition([FeedMessage([record], log_time=time) for time, record in records], new_joiner)  # type: ignore[list-item]
    smooth.run(until_done(["go on"] * len(records)))
    rough = Partition(cut(records, random), new_joiner)
    rough.run(until_done(random.choices(DECISIONS, k=3 * len(records))))
    assert rough.rows() == smooth.rows()
    assert rough.states == smooth.states


def test_a_stream_whose_clock_went_back_is_recalled_with_the_same_clock(
    make_impression: Any, new_joiner: Any
) -> None:
    def event(event_id: str, time: float, content_id: str) -> Record:
        return "event", {
            "event_type": "like", "event_id": event_id, "timestamp": time, "user_id": "eve",
            "content_id": content_id,
        }  # fmt: skip

    def slate(request_id: str, time: float, content_id: str) -> Record:
        return "impression", make_impression(request_id, "eve", [content_id], time)

    messages = [
        FeedMessage([event("e0", START, "cat")], log_time=START + 500),
        FeedMessage([slate("r1", START, "cat")], log_time=START),
        FeedMessage([event("e1", START, "cat")], log_time=START + 1),
        FeedMessage([event("e2", START, "cat")], log_time=START + 1_100),
    ]

    smooth, rough = Partition(messages, new_joiner), Partition(messages, new_joiner)
    smooth.run(until_done([]))
    rough.run(until_done(["crash after the store"] * 4))
    assert rough.rows() == smooth.rows()
    joined = ExampleBatch.decode(smooth.rows()).joined
    assert joined is not None
    assert joined.request_keys.tolist() == [key_of("r1")] * 2
